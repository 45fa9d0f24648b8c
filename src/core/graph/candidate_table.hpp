/// The nodes that a search has heard of, each once.
#pragma once

#include <cstdint>
#include <limits>

#include "core/arena.hpp"

namespace nearest::core {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFF'FFFFU;

/// A node and what is thought of its distance.
struct Candidate {
  NodeId id;
  float estimate;  ///< steering distance: a mean of estimates, or the code's own after the visit
  float weight;    ///< of the estimates so far: inverse variance, up to a factor; kVisited after
  float beam_key;  ///< by which the beam holds it; kNotInBeam if it does not
};

inline constexpr float kVisited = std::numeric_limits<float>::infinity();
inline constexpr float kNotInBeam = std::numeric_limits<float>::infinity();

/// Candidates in the order of their discovery, with a hash of their ids.
class CandidateTable {
 public:
  template <Arena A>
  void prepare(A arena, std::size_t expected) {
    std::size_t slots = 64;
    while (slots < 2 * expected) slots *= 2;
    if (slots > slot_capacity_) {
      if (slots_ != nullptr) arena.release(slots_);
      slots_ = static_cast<std::uint32_t*>(arena.allocate(slots * sizeof(std::uint32_t)));
      slot_capacity_ = slots;
    }
    mask_ = slots - 1;
    std::memset(slots_, 0, slots * sizeof(std::uint32_t));
    candidates_.clear();
    candidates_.reserve(arena, expected);
  }

  std::size_t size() const { return candidates_.size(); }
  Candidate& operator[](std::uint32_t index) { return candidates_[index]; }
  const Candidate& operator[](std::uint32_t index) const { return candidates_[index]; }
  std::size_t bytes() const {
    return candidates_.capacity_bytes() + slot_capacity_ * sizeof(std::uint32_t);
  }

  /// The index of id's candidate; a new one has weight 0.
  template <Arena A>
  std::uint32_t find_or_add(A arena, NodeId id) {
    std::size_t slot = hash(id) & mask_;
    while (slots_[slot] != 0) {
      const std::uint32_t index = slots_[slot] - 1;
      if (candidates_[index].id == id) return index;
      slot = (slot + 1) & mask_;
    }
    if (2 * (candidates_.size() + 1) > mask_ + 1) {
      grow(arena);
      slot = hash(id) & mask_;
      while (slots_[slot] != 0) slot = (slot + 1) & mask_;
    }
    const auto index = static_cast<std::uint32_t>(candidates_.size());
    candidates_.push_back(arena, {id, 0, 0, kNotInBeam});
    slots_[slot] = index + 1;
    return index;
  }

  bool is_visited(NodeId id) const {
    for (std::size_t slot = hash(id) & mask_; slots_[slot] != 0; slot = (slot + 1) & mask_) {
      const Candidate& candidate = candidates_[slots_[slot] - 1];
      if (candidate.id == id) return candidate.weight == kVisited;
    }
    return false;
  }

 private:
  static std::size_t hash(NodeId id) {
    return (static_cast<std::uint64_t>(id) * 0x9E37'79B9'7F4A'7C15U) >> 32;
  }

  template <Arena A>
  void grow(A arena) {
    const std::size_t slots = 2 * (mask_ + 1);
    if (slots > slot_capacity_) {
      auto* larger = static_cast<std::uint32_t*>(arena.allocate(slots * sizeof(std::uint32_t)));
      arena.release(slots_);
      slots_ = larger;
      slot_capacity_ = slots;
    }
    mask_ = slots - 1;
    std::memset(slots_, 0, slots * sizeof(std::uint32_t));
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      std::size_t slot = hash(candidates_[i].id) & mask_;
      while (slots_[slot] != 0) slot = (slot + 1) & mask_;
      slots_[slot] = static_cast<std::uint32_t>(i + 1);
    }
  }

  ArenaArray<Candidate> candidates_;
  std::uint32_t* slots_ = nullptr;  ///< index + 1, or 0
  std::size_t slot_capacity_ = 0, mask_ = 0;
};

}  // namespace nearest::core
