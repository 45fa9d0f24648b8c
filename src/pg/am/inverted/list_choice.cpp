#include "pg/am/inverted/list_choice.hpp"

extern "C" {
#include "utils/memutils.h"
}

#include "pg/am/inverted/centroids.hpp"

namespace nearest::pg::inverted {
namespace {

/// Keeps the centroids if that is worth it. Complete before they are kept: an error leaves what was
/// copied to the current context.
void keep_centroids(const Centroids& centroids, const InvertedState& state) {
  const format::InvertedMeta& meta = state.meta;
  const std::uint32_t per_page = format::centroids_per_page(meta.dim, BLCKSZ);
  if (state.centroid_pages_read < meta.lists / per_page || KeptCentroids::bytes(meta) == 0) return;
  MemoryContext const context =
      AllocSetContextCreate(CurrentMemoryContext, "centroids", ALLOCSET_SMALL_SIZES);
  const KeptCentroids* const kept = centroids.copy(context);
  MemoryContextSetParent(context, state.context);
  state.centroids = kept;
}

/// kNoList if those of the nearest groups were all merged away.
std::uint32_t choose_kept(const InvertedState& state, const core::ScalarQuery& code,
                          float* centroid) {
  const KeptCentroids& kept = *state.centroids;
  auto* const ranked = static_cast<core::RankedList*>(
      palloc((kept.groups.centers.n + 1) * sizeof(core::RankedList)));
  const std::uint32_t list = core::nearest_list(kept.lists, kept.groups, code,
                                                core::groups_tried_alone(state.meta.lists), ranked);
  if (list == core::kNoList) return list;
  const std::size_t dim = state.meta.dim;
  core::decode_scalar({kept.lists.z + list * dim, dim}, kept.lists.scales[list], centroid);
  return list;
}

}  // namespace

std::uint32_t choose_list(Relation index, const InvertedState& state, std::span<const float> y,
                          float* centroid) {
  auto* const z = static_cast<std::int16_t*>(palloc(y.size() * sizeof(std::int16_t)));
  const core::ScalarQuery code = core::encode_query(y, z);
  if (state.centroids != nullptr) {
    const std::uint32_t kept = choose_kept(state, code, centroid);
    if (kept != core::kNoList) return kept;
  }
  const ContextArena arena{CurrentMemoryContext};
  const Centroids centroids(index, &state, &state.centroid_pages_read);
  const std::uint32_t list = centroids.find_nearest(arena, {&code, false});
  centroids.read(list, centroid);
  if (state.centroids == nullptr) keep_centroids(centroids, state);
  return list;
}

}  // namespace nearest::pg::inverted
