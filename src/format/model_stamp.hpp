/// The number by which an index and the register of models know a model.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/random.hpp"

namespace nearest::format {

/// What an index says that was built while no model was declared.
inline constexpr std::uint64_t kNoModel = 0;

/// FNV-1a of name and version, well mixed; never kNoModel. On disk: the same on every machine.
/// version: null is another one than an empty text.
constexpr std::uint64_t model_stamp(std::string_view model, const std::string_view* version) {
  constexpr std::uint64_t kBasis = 0xCBF2'9CE4'8422'2325U, kPrime = 0x0000'0100'0000'01B3U;
  std::uint64_t hash = kBasis;
  const auto take = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  };
  take(model);
  if (version != nullptr) {
    take(std::string_view("\0", 1));  // which no text has
    take(*version);
  }
  const std::uint64_t stamp = core::mix_bits(hash);
  return stamp != kNoModel ? stamp : 1;
}

}  // namespace nearest::format
