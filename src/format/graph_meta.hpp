/// The metapage of a graph index: block 0.
///
///     | GraphMeta | ... free ... |
#pragma once

#include "core/graph/space.hpp"
#include "format/page.hpp"

namespace nearest::format {

inline constexpr std::uint32_t kGraphMagic = 0x6E67'7261;  ///< "ngra"
inline constexpr std::uint32_t kGraphVersion = 4;

/// Any number: all indexes of this version share it.
inline constexpr std::uint64_t kRotationSeed = 0x6E65'6172'6573'7400U;

/// Where the sizes of an index come from.
enum class Settled : std::uint32_t {
  kNot = 0,  ///< nowhere yet: there are no nodes
  kBySample = 1,
  kByRow = 2,  ///< the first one: an index that was empty when it was built
};

struct GraphMeta {
  std::uint32_t magic, version;

  // Constant until the index is built anew, but for the sizes: an index without nodes gets them
  // with the first, and those that are settled by a row grow with inner products
  // (`has_constant_sizes`).
  std::uint32_t dim;
  core::Metric metric;
  std::uint8_t code_bits;  ///< bits per coded dimension of a link code
  std::uint16_t m;
  std::uint16_t ef_construction;
  std::uint16_t nodes_per_page;
  std::uint16_t code_words;   ///< 64-bit words per plane of a link code
  std::uint16_t inline_tids;  ///< rows that a node holds itself
  std::uint64_t seed;         ///< of the rotation
  double unit;                ///< see core/graph/space.hpp
  double longest;
  double query_norm;
  double center_norm;
  BlockId center_block;       ///< first page of the center, or kNoBlock for the origin
  BlockId entry_block;        ///< first page of the entry table
  std::uint64_t built_nodes;  ///< that the build wrote

  // Changing.
  BlockId null_rows;  ///< chain of rows whose vector is NULL
  BlockId zero_rows;  ///< chain of zero vectors under cosine
  Settled settled;
  std::uint32_t has_emptied;  ///< 1: VACUUM has emptied nodes or chains and not finished with them

  // Constant again.
  BlockId drift_block;  ///< see drift_page.hpp
  std::uint32_t reserved;
  std::uint64_t
      model_stamp;  ///< of the model whose vectors the build found; format/model_stamp.hpp

  /// Whether unit, longest and query_norm stay as they are.
  bool has_constant_sizes() const {
    return settled == Settled::kBySample ||
           (settled == Settled::kByRow && metric != core::Metric::kInnerProduct);
  }
};
static_assert(sizeof(GraphMeta) == 112 && offsetof(GraphMeta, seed) == 24 &&
              offsetof(GraphMeta, null_rows) == 80 && offsetof(GraphMeta, model_stamp) == 104 &&
              std::is_trivially_copyable_v<GraphMeta>);

}  // namespace nearest::format
