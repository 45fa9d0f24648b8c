/// Chains of pages, which damage can make into rings.
#pragma once

#include "format/layout.hpp"

namespace nearest::format {

/// Tells when a walk along a chain comes back to where it was, after at most three times the
/// chain's pages and without memory of them (Brent 1980).
class ChainGuard {
 public:
  /// To be asked once per block, in the order of the walk.
  bool is_ring(BlockId block) {
    if (block == marked_) return true;
    if (++steps_ == limit_) {
      marked_ = block;
      limit_ *= 2;
      steps_ = 0;
    }
    return false;
  }

 private:
  BlockId marked_ = kNoBlock;
  std::uint32_t steps_ = 0, limit_ = 1;
};

}  // namespace nearest::format
