/// The least setting that is good enough, by trying few.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nearest::core {

/// Which settings to try, if larger ones are better: each twice the last until one is good enough,
/// then between it and the largest that is not. Where larger ones are not always better, it ends at
/// one that is good enough and whose predecessor is not.
///
///   Ladder ladder(least, most);
///   while (ladder.goes_on()) ladder.tell(is_good(ladder.value()));
class Ladder {
 public:
  /// 1 <= least <= most
  Ladder(std::int64_t least, std::int64_t most)
      : most_(most), value_(least), bad_(least - 1), good_(most + 1) {}

  bool goes_on() const { return value_ > 0; }
  /// The one to try next.
  std::int64_t value() const { return value_; }
  void tell(bool is_good) {
    (is_good ? good_ : bad_) = value_;
    if (good_ - bad_ <= 1) {
      value_ = 0;
    } else if (good_ > most_) {
      value_ = std::min(2 * bad_, most_);
    } else {
      value_ = bad_ + (good_ - bad_) / 2;
    }
  }
  /// The least that is good enough; 0 if none is.
  std::int64_t found() const { return good_ <= most_ ? good_ : 0; }

 private:
  std::int64_t most_, value_, bad_, good_;
};

}  // namespace nearest::core
