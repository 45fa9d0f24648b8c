/// Advanced SIMD of AArch64 with its fused multiply-add: four lanes.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "core/kernels/isa.hpp"
#include "core/kernels/register_loops.hpp"

#include "core/no_postgres.hpp"  // last, so that it sees what the others brought

namespace nearest::core {
namespace neon {

struct Register {
  static constexpr std::size_t kLanes = 4, kTileRows = 4, kTileColumns = 4;
  static constexpr std::size_t kPanelRows = 6, kPanelRegisters = 4;
  float32x4_t lanes;

  static Register zero() { return {vdupq_n_f32(0.0F)}; }
  static Register load(const float* p) { return {vld1q_f32(p)}; }
  static Register load_first(const float* p, std::size_t n) {
    float window[kLanes] = {};
    std::memcpy(window, p, n * sizeof(float));
    return load(window);
  }
  void store(float* p) const { vst1q_f32(p, lanes); }
  static Register load_codes(const std::int8_t* p) {
    std::int8_t window[8] = {};  // no load takes fewer
    std::memcpy(window, p, kLanes);
    return convert(window);
  }
  static Register load_first_codes(const std::int8_t* p, std::size_t n) {
    std::int8_t window[8] = {};
    std::memcpy(window, p, n);
    return convert(window);
  }
  static Register convert(const std::int8_t* window) {
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vld1_s8(window)))))};
  }
  static Register broadcast(float x) { return {vdupq_n_f32(x)}; }
  friend Register operator-(Register a, Register b) { return {vsubq_f32(a.lanes, b.lanes)}; }
  friend Register operator+(Register a, Register b) { return {vaddq_f32(a.lanes, b.lanes)}; }
  friend Register abs(Register a) { return {vabsq_f32(a.lanes)}; }
  friend Register multiply_add(Register a, Register b, Register sum) {
    return {vfmaq_f32(sum.lanes, a.lanes, b.lanes)};
  }
  template <int h>
  friend Register butterfly(Register a) {
    const float32x4_t other = h == 1 ? vrev64q_f32(a.lanes) : vextq_f32(a.lanes, a.lanes, 2);
    constexpr float kSigns[2][4] = {{1, -1, 1, -1}, {1, 1, -1, -1}};
    return {vfmaq_f32(other, a.lanes, vld1q_f32(kSigns[h - 1]))};
  }
  static Register load_integers(const std::uint32_t* p) { return {vcvtq_f32_u32(vld1q_u32(p))}; }
  friend std::uint32_t at_most(Register a, Register b) {
    constexpr std::uint32_t kBits[kLanes] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcleq_f32(a.lanes, b.lanes), vld1q_u32(kBits)));
  }
  friend void store_sums(const Register* a, float* p) {
    vst1q_f32(p,
              vpaddq_f32(vpaddq_f32(a[0].lanes, a[1].lanes), vpaddq_f32(a[2].lanes, a[3].lanes)));
  }
  friend float sum(Register a) { return vaddvq_f32(a.lanes); }
};

/// Two products of codes fit 16 bits.
struct ByteProducts {
  static constexpr std::size_t kLanes = 16;
  int32x4_t sums = vdupq_n_s32(0);

  void add(const std::int8_t* a, const std::int8_t* b) { add(vld1q_s8(a), vld1q_s8(b)); }
  void add_last(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
    const uint8x16_t mask = vld1q_u8(last_elements<ByteProducts, std::int8_t>(n));
    add(vld1q_s8(a), vandq_s8(vld1q_s8(b), vreinterpretq_s8_u8(mask)));
  }
  void add_rest(const std::int8_t* a, const std::int8_t* b, std::size_t i, std::size_t dim) {
    add_overlapping(*this, a, b, i, dim);
  }
  void add(int8x16_t a, int8x16_t b) {
    const int16x8_t pairs = vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
    sums = vpadalq_s16(sums, pairs);
  }
  friend ByteProducts operator+(ByteProducts a, ByteProducts b) {
    return {vaddq_s32(a.sums, b.sums)};
  }
  std::int32_t total() const { return vaddvq_s32(sums); }
};

struct WordProducts {
  static constexpr std::size_t kLanes = 8;
  int32x4_t sums = vdupq_n_s32(0);

  void add(const std::int8_t* a, const std::int16_t* b) { add(a, vld1q_s16(b)); }
  void add_last(const std::int8_t* a, const std::int16_t* b, std::size_t n) {
    const uint8x16_t mask = vld1q_u8(last_elements<WordProducts, std::int16_t>(n));
    add(a, vandq_s16(vld1q_s16(b), vreinterpretq_s16_u8(mask)));
  }
  void add_rest(const std::int8_t* a, const std::int16_t* b, std::size_t i, std::size_t dim) {
    add_overlapping(*this, a, b, i, dim);
  }
  void add(const std::int8_t* a, int16x8_t b) {
    const int16x8_t wide = vmovl_s8(vld1_s8(a));
    sums = vmlal_s16(sums, vget_low_s16(wide), vget_low_s16(b));
    sums = vmlal_high_s16(sums, wide, b);
  }
  friend WordProducts operator+(WordProducts a, WordProducts b) {
    return {vaddq_s32(a.sums, b.sums)};
  }
  std::int32_t total() const { return vaddvq_s32(sums); }
};

struct Words {
  static constexpr std::size_t kCodes = 2;
  uint64x2_t words;

  static Words zero() { return {vdupq_n_u64(0)}; }
  static Words load(const std::uint64_t* p) { return {vld1q_u64(p)}; }
  static void add_counts(Words code, const std::uint64_t* planes, Words& positive,
                         Words& negative) {
    const auto count = [code](std::uint64_t plane) {
      return vcntq_u8(vreinterpretq_u8_u64(vandq_u64(code.words, vdupq_n_u64(plane))));
    };
    // By Horner's rule: one plane is worth twice the one before.
    uint8x16_t sums = vaddq_u8(count(planes[1]), vshlq_n_u8(count(planes[2]), 1));
    sums = vaddq_u8(count(planes[0]), vshlq_n_u8(sums, 1));
    positive.add_bytes(sums);
    negative.add_bytes(count(planes[3]));
  }
  void add_bytes(uint8x16_t bytes) {
    words = vreinterpretq_u64_u8(vaddq_u8(vreinterpretq_u8_u64(words), bytes));
  }
  friend Words add_words(Words a, Words b) { return {vaddq_u64(a.words, b.words)}; }
  friend Words sum_bytes(Words a) {
    return {vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vreinterpretq_u8_u64(a.words))))};
  }
  friend void store(Words positive, Words negative, std::int32_t* sums) {
    const uint64x2_t difference = vsubq_u64(positive.words, vshlq_n_u64(negative.words, 3));
    vst1_s32(sums, vmovn_s64(vreinterpretq_s64_u64(difference)));
  }
};

/// One segment.
struct Symbols {
  static constexpr std::size_t kSegments = 1;
  uint8x16_t bytes;

  static Symbols zero() { return {vdupq_n_u8(0)}; }
  static Symbols load(const std::uint8_t* p) { return {vld1q_u8(p)}; }
  static Symbols load_first(const std::uint8_t* p, std::size_t) { return load(p); }
  friend Symbols low_nibbles(Symbols a) { return {vandq_u8(a.bytes, vdupq_n_u8(0x0F))}; }
  friend Symbols high_nibbles(Symbols a) { return {vshrq_n_u8(a.bytes, 4)}; }
  friend Symbols look_up(Symbols table, Symbols a) { return {vqtbl1q_u8(table.bytes, a.bytes)}; }
  static uint16x8_t words(Symbols a) { return vreinterpretq_u16_u8(a.bytes); }
  static Symbols of(uint16x8_t words) { return {vreinterpretq_u8_u16(words)}; }
  friend Symbols add_words(Symbols a, Symbols b) { return of(vaddq_u16(words(a), words(b))); }
  friend Symbols subtract_words(Symbols a, Symbols b) { return of(vsubq_u16(words(a), words(b))); }
  friend Symbols high_bytes(Symbols a) { return of(vshrq_n_u16(words(a), 8)); }
  friend Symbols shift_left_8(Symbols a) { return of(vshlq_n_u16(words(a), 8)); }
  friend Symbols fold_segments(Symbols a) { return a; }
  friend void add_sums(Symbols even, Symbols odd, std::uint32_t* sums) {
    add_eight(vzip1q_u16(words(even), words(odd)), sums);
    add_eight(vzip2q_u16(words(even), words(odd)), sums + 8);
  }
  static void add_eight(uint16x8_t words, std::uint32_t* sums) {
    vst1q_u32(sums, vaddw_u16(vld1q_u32(sums), vget_low_u16(words)));
    vst1q_u32(sums + 4, vaddw_high_u16(vld1q_u32(sums + 4), words));
  }
};

}  // namespace neon

constinit const KernelTable kNeonKernels = make_table<neon::Register>(
    "neon", {.inner_product_i8 = fold_codes<neon::ByteProducts, std::int8_t>,
             .inner_product_i8_i16 = fold_codes<neon::WordProducts, std::int16_t>,
             .masked_sums_x8 = masked_sums<neon::Words>,
             .table_sums_x32 = table_sums<neon::Symbols>});

}  // namespace nearest::core
#endif
