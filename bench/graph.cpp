// Tries other nodes for the graph of hnsw than the one that format::choose_shape chooses: builds a
// graph of L2 in memory as the server does, and searches it with link codes of several shapes.
//
//   bench_graph FOLDER NAME [--queries N] [--curves]
//
// reads FOLDER/NAME.txt, NAME_base.f32, NAME_query.f32, NAME_truth_l2.i32 (bench/export.py). Prints
// tables for bench/README.md:
//   own code   heap rows that the executor fetches, by the precision of a node's own code
//   entries    nodes and pages that searches need for a recall, by the size of the entry table
//   link code  the same, by the shape of link codes
// --curves: each search width on a line of its own, too. Pages are those that the server would pin,
// the entry table's included; recall counts the found rows that are as near as the true tenth.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <queue>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/memory_graph.hpp"
#include "core/graph/page_order.hpp"
#include "core/graph/search.hpp"
#include "core/graph/settle_space.hpp"
#include "format/graph_page.hpp"

namespace {

using namespace nearest;

constexpr std::size_t kBlockBytes = 8192, kTruthColumns = 100, kRecallRows = 10;
constexpr std::size_t kSampleRows = 10000;  // of which the center is the mean, as in the server
constexpr std::uint32_t kFewestTids = 2;    // as format::choose_shape starts with
constexpr double kRecalls[] = {0.95, 0.99};

struct HeapArena {
  void* allocate(std::size_t bytes) const { return ::operator new (bytes, std::align_val_t{64}); }
  void release(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
};

template <class T>
std::vector<T> read_raw(const std::string& path, std::size_t n) {
  std::vector<T> values(n);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(n * sizeof(T)));
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return values;
}

struct VectorSet {
  std::size_t rows = 0, n_queries = 0, dim = 0;
  std::vector<float> base, queries;
  std::vector<std::int32_t> truth;

  static VectorSet read(const std::string& prefix) {
    VectorSet set;
    std::ifstream sizes(prefix + ".txt");
    if (!(sizes >> set.rows >> set.n_queries >> set.dim)) {
      throw std::runtime_error(prefix + ".txt: cannot be read");
    }
    set.base = read_raw<float>(prefix + "_base.f32", set.rows * set.dim);
    set.queries = read_raw<float>(prefix + "_query.f32", set.n_queries * set.dim);
    set.truth = read_raw<std::int32_t>(prefix + "_truth_l2.i32", set.n_queries * kTruthColumns);
    return set;
  }
  core::VectorView<float> row(std::size_t i) const { return {base.data() + i * dim, dim}; }
  core::VectorView<float> query(std::size_t i) const { return {queries.data() + i * dim, dim}; }
  double distance(std::size_t query, std::size_t row) const {
    return std::sqrt(static_cast<double>(core::kernels().l2_squared_f32(
        queries.data() + query * dim, base.data() + row * dim, dim)));
  }
};

using Graph = core::MemoryGraph<HeapArena>;

/// The graph of a set, and its points as link codes see them.
struct Built {
  const VectorSet* set;
  std::vector<float> center;
  core::GraphSpace space{};
  Graph graph;
  std::vector<float> decoded;  ///< (nodes, dim)

  std::span<const float> point(core::NodeId id) const {
    return {decoded.data() + id * set->dim, set->dim};
  }
};

/// What the server's build takes from its first rows.
void settle(Built& built) {
  const VectorSet& set = *built.set;
  built.center.resize(set.dim);
  const core::SpaceSizes sizes = core::settle_space(
      core::Metric::kL2, {set.base.data(), std::min(set.rows, kSampleRows) * set.dim}, set.dim,
      HeapArena{}, built.center.data());
  built.space.metric = core::Metric::kL2;
  built.space.dim = static_cast<std::uint32_t>(set.dim);
  built.space.seed = format::kRotationSeed;
  built.space.center = built.center.data();
  built.space.center_norm = sizes.center_norm;
  built.space.unit = sizes.unit;
  built.space.query_norm = 1;
}

std::unique_ptr<Built> build(const VectorSet& set) {
  auto built = std::make_unique<Built>();
  built->set = &set;
  settle(*built);
  built->graph.prepare(HeapArena{}, built->space, core::kDefaultM, core::kDefaultEfConstruction, 1);
  core::SerialRunner alone;
  std::vector<float> y(set.dim);
  std::vector<std::int8_t> z(set.dim);
  for (std::size_t i = 0; i < set.rows; ++i) {
    const auto row = set.row(i);
    const core::PlacedPoint point = core::place_point(built->space, row, y.data(), z.data());
    const std::string_view bytes(reinterpret_cast<const char*>(row.data()),
                                 set.dim * sizeof(float));
    built->graph.add(alone, i, std::hash<std::string_view>{}(bytes), point, z.data());
  }
  built->graph.finish(alone);
  const std::size_t n = built->graph.size();
  built->decoded.resize(n * set.dim);
  for (core::NodeId id = 0; id < n; ++id) {
    core::decode_scalar(built->graph.code(id), built->graph.node(id).code.scale,
                        built->decoded.data() + id * set.dim);
  }
  return built;
}

/// Eight links, without their words.
struct Group {
  core::NodeId ids[core::kLinkGroup];
  float a[core::kLinkGroup], b[core::kLinkGroup];
};

/// Links of all nodes in one shape, in page order: ids are places on pages.
class CodedGraph {
 public:
  CodedGraph(const Built& built, const format::GraphShape& shape) : built_(&built), shape_(shape) {
    core::order_by_page(built.graph, HeapArena{}, shape.nodes_per_page, order_, [] {});
    place_.resize(order_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) {
      place_[order_[i]] = static_cast<core::NodeId>(i);
    }
    std::vector<core::NodeId> ids;
    for (const core::NodeId id : order_) {
      ids.clear();
      for (const core::Neighbor& link : built.graph.links(id)) ids.push_back(link.id);
      nodes_.push_back(code_links(built.point(id), ids));
    }
    set_entries(core::entry_count(order_.size()));
  }
  CodedGraph(const CodedGraph&) = delete;
  CodedGraph& operator=(const CodedGraph&) = delete;
  ~CodedGraph() { HeapArena{}.release(order_.begin()); }

  struct Links {
    std::size_t first_group, n;
  };

  /// Codes another entry table, as links of the center.
  void set_entries(std::size_t n_entries) {
    std::vector<core::NodeId> ids;
    const std::size_t n = order_.size();
    for (std::size_t i = 0; i < n_entries; ++i) {
      ids.push_back(order_[(2 * i + 1) * n / (2 * n_entries)]);
    }
    const std::vector<float> origin(built_->set->dim);
    entries_ = code_links(origin, ids);
  }

  std::size_t entry_pages() const {
    return (entries_.n + shape_.entries_per_page() - 1) / shape_.entries_per_page();
  }
  const Built& built() const { return *built_; }
  const format::GraphShape& shape() const { return shape_; }
  core::NodeId id_at(core::NodeId place) const { return order_[place]; }
  const Links& links_at(core::NodeId place) const { return nodes_[place]; }
  const Links& entries() const { return entries_; }
  const Group& group(std::size_t i) const { return groups_[i]; }
  const std::uint64_t* words(std::size_t group) const {
    return words_.data() + group * shape_.link_code.code_words() * core::kLinkGroup;
  }

 private:
  Links code_links(std::span<const float> from, const std::vector<core::NodeId>& ids) {
    const std::size_t dim = built_->set->dim, begin = groups_.size();
    const std::size_t group_words = shape_.link_code.code_words() * core::kLinkGroup;
    groups_.resize(begin + shape_.n_groups(ids.size()));
    words_.resize(groups_.size() * group_words);
    std::vector<float> difference(dim);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::span<const float> to = built_->point(ids[i]);
      for (std::size_t j = 0; j < dim; ++j) difference[j] = to[j] - from[j];
      const std::size_t group = begin + i / core::kLinkGroup, column = i % core::kLinkGroup;
      const core::LinkFactors factors = core::encode_link(
          shape_.link_code, difference, from, words_.data() + group * group_words + column);
      groups_[group].ids[column] = place_[ids[i]];
      groups_[group].a[column] = format::unpack_half(format::pack_half(factors.a));  // as on pages
      groups_[group].b[column] = format::unpack_half(format::pack_half(factors.b));
    }
    return {begin, ids.size()};
  }

  const Built* built_;
  format::GraphShape shape_;
  core::ArenaArray<core::NodeId> order_;
  std::vector<core::NodeId> place_;
  std::vector<Group> groups_;
  std::vector<std::uint64_t> words_;
  std::vector<Links> nodes_;
  Links entries_{};
};

struct Found {
  double bound;
  core::NodeId id;  ///< of the graph in memory
};

/// What core::GraphSearch sees: the server's PageGraph without pages.
class View {
 public:
  View(const CodedGraph& graph, bool is_exact)
      : graph_(&graph),
        is_exact_(is_exact),
        y_(graph.built().set->dim),
        z_(y_.size()),
        planes_(core::link_query_words(graph.shape().link_code)) {}

  void start(core::VectorView<float> q) {
    point_ = core::place_query(graph_->built().space, q, y_.data(), z_.data());
    query_ = core::encode_link_query(graph_->shape().link_code, y_, planes_.data());
    found_.clear();
    pages_ = graph_->entry_pages();
  }

  core::NodeRange page_of(core::NodeId place) const {
    const std::uint32_t count = graph_->shape().nodes_per_page;
    return {place - place % count, count};
  }
  void prefetch(core::NodeId) const {}

  std::span<const core::Visit> visit(std::span<const core::NodeId> places) {
    ++pages_;
    links_.clear();
    links_.reserve(core::kMaxVisitsPerPage * (graph_->shape().max_links + core::kLinkGroup));
    for (std::size_t i = 0; i < places.size(); ++i) {
      const core::NodeId id = graph_->id_at(places[i]);
      const core::PointDistance distance = distance_to(id);
      const std::size_t begin = links_.size();
      score(graph_->links_at(places[i]), distance.squared, links_);
      visits_[i] = {places[i],
                    static_cast<float>(distance.squared),
                    {links_.data() + begin, links_.size() - begin}};
      found_.push_back({distance.bound, id});
    }
    return {visits_, places.size()};
  }

  std::span<const core::LinkEstimate> entries() {
    entries_.clear();
    score(graph_->entries(), point_.code.square, entries_);
    return entries_;
  }

  std::vector<Found>& found() { return found_; }
  std::size_t pages() const { return pages_; }

 private:
  core::PointDistance distance_to(core::NodeId id) const {
    const auto& node = graph_->built().graph.node(id);
    return core::distance_to(graph_->built().space, point_, graph_->built().graph.code(id).data(),
                             node.code, node.traits);
  }

  void score(const CodedGraph::Links& links, double squared, std::vector<core::LinkEstimate>& out) {
    const auto from_node = static_cast<float>(squared);
    for (std::size_t begin = 0; begin < links.n; begin += core::kLinkGroup) {
      const std::size_t g = links.first_group + begin / core::kLinkGroup;
      const Group& group = graph_->group(g);
      const std::size_t n = std::min(core::kLinkGroup, links.n - begin);
      if (is_exact_) {
        for (std::size_t j = 0; j < n; ++j) {
          const double exact = distance_to(graph_->id_at(group.ids[j])).squared;
          out.push_back({group.ids[j], static_cast<float>(exact), 1});
        }
        continue;
      }
      float sums[core::kLinkGroup];
      core::score_link_group(graph_->shape().link_code, query_, graph_->words(g), sums);
      for (std::size_t j = 0; j < n; ++j) {
        constexpr float kLeast = 1e-30F;
        out.push_back({group.ids[j], from_node + group.a[j] - group.b[j] * sums[j],
                       1.0F / (group.b[j] * group.b[j] * from_node + kLeast) + kLeast});
      }
    }
  }

  const CodedGraph* graph_;
  bool is_exact_;
  std::vector<float> y_;
  std::vector<std::int16_t> z_;
  std::vector<std::uint64_t> planes_;
  core::QueryPoint point_{};
  core::LinkQuery query_{};
  std::vector<core::LinkEstimate> links_, entries_;
  std::vector<Found> found_;
  std::size_t pages_ = 0;
  core::Visit visits_[core::kMaxVisitsPerPage];
};

/// What the executor does with rows in the order of their bounds, for LIMIT `limit`.
struct Fetched {
  std::size_t rows;
  std::vector<double> nearest;  ///< exact distances, at most `limit`, sorted
};

Fetched fetch(const Built& built, std::size_t query, std::size_t limit, std::vector<Found>& found) {
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.bound < b.bound; });
  std::priority_queue<double> nearest;
  Fetched fetched{};
  for (const Found& node : found) {
    const double exact = built.set->distance(query, built.graph.node(node.id).row);
    for (std::uint32_t i = 0; i < built.graph.node(node.id).n_rows; ++i) {
      nearest.push(exact);
      ++fetched.rows;
      if (nearest.size() > limit) nearest.pop();
      if (nearest.size() == limit && nearest.top() <= node.bound) break;
    }
    if (nearest.size() == limit && nearest.top() <= node.bound) break;
  }
  for (; !nearest.empty(); nearest.pop()) fetched.nearest.push_back(nearest.top());
  std::reverse(fetched.nearest.begin(), fetched.nearest.end());
  return fetched;
}

/// Means over queries at one width.
struct Step {
  std::size_t ef;
  double recall, nodes, pages;
};

class Experiment {
 public:
  Experiment(const Built& built, std::size_t n_queries, bool curves)
      : built_(&built), n_queries_(n_queries), curves_(curves) {
    for (std::size_t q = 0; q < n_queries; ++q) {
      const std::int32_t tenth = built.set->truth[q * kTruthColumns + kRecallRows - 1];
      tenth_.push_back(built.set->distance(q, static_cast<std::size_t>(tenth)) * (1 + 1e-6));
    }
  }

  Step run(const CodedGraph& graph, bool is_exact, std::size_t ef) {
    View view(graph, is_exact);
    Step step{ef, 0, 0, 0};
    const auto n = static_cast<double>(n_queries_);
    for (std::size_t q = 0; q < n_queries_; ++q) {
      search(view, graph, q, ef);
      const Fetched fetched = fetch(*built_, q, kRecallRows, view.found());
      const auto right = std::count_if(fetched.nearest.begin(), fetched.nearest.end(),
                                       [&](double distance) { return distance <= tenth_[q]; });
      step.recall += static_cast<double>(right) / kRecallRows / n;
      step.nodes += static_cast<double>(view.found().size()) / n;
      step.pages += static_cast<double>(view.pages()) / n;
    }
    return step;
  }

  /// Widths until the recall is high enough for the table.
  std::vector<Step> ladder(const CodedGraph& graph, bool is_exact) {
    std::vector<Step> steps;
    for (double ef = 5; ef < 1000; ef *= 1.2) {
      steps.push_back(run(graph, is_exact, static_cast<std::size_t>(ef)));
      if (steps.back().recall > 0.99) break;
    }
    if (curves_) {
      for (const Step& step : steps) {
        std::printf("    ef %4zu  recall %.4f  nodes %7.1f  pages %7.1f\n", step.ef, step.recall,
                    step.nodes, step.pages);
      }
    }
    return steps;
  }

  void search(View& view, const CodedGraph& graph, std::size_t q, std::size_t ef) {
    view.start(built_->set->query(q));
    search_.begin(view, HeapArena{}, ef, graph.shape().max_links);
    search_.run(view, HeapArena{});
  }

  std::size_t n_queries() const { return n_queries_; }

 private:
  const Built* built_;
  std::size_t n_queries_;
  bool curves_;
  std::vector<double> tenth_;
  core::GraphSearch<View, HeapArena> search_;
};

/// "nodes / pages" where a ladder crosses a recall.
std::string crossing(const std::vector<Step>& steps, double recall) {
  char text[64] = "-";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].recall < recall) continue;
    const Step& above = steps[i];
    const Step& below = i > 0 ? steps[i - 1] : above;
    const double rise = above.recall - below.recall;
    const double share = rise > 0 ? (recall - below.recall) / rise : 1;
    std::snprintf(text, sizeof text, "%s%.0f / %.0f", i == 0 ? "< " : "",
                  below.nodes + share * (above.nodes - below.nodes),
                  below.pages + share * (above.pages - below.pages));
    break;
  }
  return text;
}

void print_crossings(const std::vector<Step>& steps) {
  for (const double recall : kRecalls) std::printf(" | %s", crossing(steps, recall).c_str());
  std::puts(" |");
  std::fflush(stdout);
}

/// As many nodes of this code on a page as fit.
format::GraphShape shape_of_code(std::size_t dim, std::uint32_t bits, std::uint32_t words) {
  const auto make = [&](std::uint32_t nodes) {
    return format::make_shape(static_cast<std::uint32_t>(dim), core::kDefaultM, bits, words,
                              kFewestTids, nodes, kBlockBytes, false);
  };
  std::uint32_t nodes = 1;
  while (make(nodes + 1).node_offset(nodes + 1) <= make(nodes).content) ++nodes;
  return make(nodes);
}

void links_table(Experiment& experiment, const Built& built, const format::GraphShape& chosen) {
  std::puts(
      "\n| link code | bytes per link | bytes per node | nodes per page | recall 0.95 | 0.99 |");
  std::puts("| --- | --- | --- | --- | --- | --- |");
  const std::size_t dim = built.set->dim;
  const auto full = static_cast<std::uint32_t>((dim + 63) / 64);
  const auto line = [&](std::uint32_t bits, std::uint32_t words) {
    const format::GraphShape shape = shape_of_code(dim, bits, words);
    const bool is_chosen = bits == chosen.link_code.bits && words == chosen.link_code.words;
    const CodedGraph graph(built, shape);
    const std::vector<Step> steps = experiment.ladder(graph, false);
    std::printf("| %zu x %u%s | %u | %u | %u", shape.link_code.coded_dims(), bits,
                is_chosen ? ", chosen" : "", shape.group_bytes / 8, shape.node_bytes,
                shape.nodes_per_page);
    print_crossings(steps);
  };
  line(2, full);
  line(2, full / 2);
  line(1, full);
  for (std::uint32_t words = 8; words >= 4; --words) {
    if (words < full) line(1, words);
  }
  const CodedGraph graph(built, chosen);
  const std::vector<Step> steps = experiment.ladder(graph, true);
  std::printf("| exact distances | | | %u", chosen.nodes_per_page);
  print_crossings(steps);
}

void entries_table(Experiment& experiment, CodedGraph& graph) {
  std::puts("\n| entries | pages of them | recall 0.95 | 0.99 |");
  std::puts("| --- | --- | --- | --- |");
  const std::size_t n = graph.built().graph.size(), usual = core::entry_count(n);
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(n)));
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{16}, std::size_t{64}, root, std::size_t{1024}}) {
    graph.set_entries(count);
    const std::vector<Step> steps = experiment.ladder(graph, false);
    std::printf("| %zu%s | %zu", count, count == usual ? ", chosen" : "", graph.entry_pages());
    print_crossings(steps);
  }
  graph.set_entries(usual);
}

float to_half(float x) {
  if (std::fabs(x) < 0x1p-14F) return std::round(x * 0x1p24F) * 0x1p-24F;
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::round(fraction * 2048) / 2048, exponent);
}

/// y as a code of so many bits stands for it; 16 and 32 are floats.
std::vector<float> rounded_to(std::span<const float> y, int bits) {
  std::vector<float> rounded(y.begin(), y.end());
  if (bits == 32) return rounded;
  float largest = 0;
  for (const float element : y) largest = std::max(largest, std::fabs(element));
  const float step = largest / static_cast<float>((1 << (bits - 1)) - 1);
  for (float& element : rounded) {
    element = bits == 16 ? to_half(element) : step > 0 ? std::round(element / step) * step : 0;
  }
  return rounded;
}

double distance_between(std::span<const float> a, std::span<const float> b) {
  double squared = 0;
#pragma omp simd reduction(+ : squared)
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squared += difference * difference;
  }
  return std::sqrt(squared);
}

/// Searches once, then bounds what was found as other codes would.
void own_code_table(Experiment& experiment, const CodedGraph& graph) {
  constexpr std::size_t kWidth = 640;
  constexpr int kBits[] = {4, 6, 8, 16, 32};
  constexpr std::size_t kLimits[] = {10, 40};
  const Built& built = graph.built();
  const std::size_t dim = built.set->dim;
  double rows[std::size(kBits)][std::size(kLimits)] = {};
  View view(graph, false);
  std::vector<float> query(dim), point(dim);
  for (std::size_t q = 0; q < experiment.n_queries(); ++q) {
    experiment.search(view, graph, q, kWidth);
    const double size = core::norm_of(built.set->query(q));
    const double misplaced =
        core::place_scaled(built.space, built.set->query(q), 1, size, query.data());
    std::vector<Found> found[std::size(kBits)];
    for (const Found& node : view.found()) {
      const auto row = built.set->row(built.graph.node(node.id).row);
      const double error =
          core::place_scaled(built.space, row, 1, core::norm_of(row), point.data());
      for (std::size_t b = 0; b < std::size(kBits); ++b) {
        const std::vector<float> code = rounded_to(point, kBits[b]);
        const double least =
            distance_between(query, code) - distance_between(point, code) - misplaced - error;
        found[b].push_back({std::max(least, 0.0) * built.space.unit, node.id});
      }
    }
    for (std::size_t b = 0; b < std::size(kBits); ++b) {
      for (std::size_t l = 0; l < std::size(kLimits); ++l) {
        rows[b][l] += static_cast<double>(fetch(built, q, kLimits[l], found[b]).rows) /
                      static_cast<double>(experiment.n_queries());
      }
    }
  }
  std::puts("\n| own code | bytes per node | nodes per page | heap rows, LIMIT 10 | LIMIT 40 |");
  std::puts("| --- | --- | --- | --- | --- |");
  const format::GraphShape fewest =
      shape_of_code(dim, graph.shape().link_code.bits, graph.shape().link_code.words);
  for (std::size_t b = 0; b < std::size(kBits); ++b) {
    const std::size_t code = (dim * static_cast<std::size_t>(kBits[b]) / 8 + 7) / 8 * 8;
    const std::size_t bytes = fewest.node_bytes - (dim + 7) / 8 * 8 + code;
    std::printf("| %s%d%s | %zu | %zu | %.1f | %.1f |\n", kBits[b] > 8 ? "float" : "", kBits[b],
                kBits[b] == 8  ? " bits, chosen"
                : kBits[b] < 8 ? " bits"
                               : "",
                bytes, (fewest.content - sizeof(format::NodePageHeader)) / bytes, rows[b][0],
                rows[b][1]);
  }
}

void run(const std::string& prefix, std::size_t n_queries, bool curves) {
  const VectorSet set = VectorSet::read(prefix);
  const std::unique_ptr<Built> built = build(set);
  const format::GraphShape chosen = format::choose_shape(
      static_cast<std::uint32_t>(set.dim), core::kDefaultM, core::Metric::kL2, kBlockBytes);
  Experiment experiment(*built, std::min(n_queries, set.n_queries), curves);
  std::printf("%zu rows x %zu, %zu nodes, %zu queries; nodes / pages for a recall of ten\n",
              set.rows, set.dim, built->graph.size(), experiment.n_queries());
  {
    CodedGraph graph(*built, chosen);
    own_code_table(experiment, graph);
    entries_table(experiment, graph);
  }
  links_table(experiment, *built, chosen);
}

}  // namespace

int main(int argc, char** argv) {
  std::string prefix;
  std::size_t n_queries = 300;
  bool curves = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (word == "--curves") {
      curves = true;
    } else if (word == "--queries" && i + 1 < argc) {
      n_queries = std::strtoul(argv[++i], nullptr, 10);
    } else {
      prefix += (prefix.empty() ? "" : "/") + std::string(word);
    }
  }
  if (prefix.empty() || n_queries == 0) {
    std::fputs("usage: bench_graph FOLDER NAME [--queries N] [--curves]\n", stderr);
    return 2;
  }
  try {
    run(prefix, n_queries, curves);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_graph: %s\n", error.what());
    return 1;
  }
}
