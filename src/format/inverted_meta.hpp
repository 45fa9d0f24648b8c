/// The metapage of an inverted file: block 0.
///
///     | InvertedMeta | ... free ... |
#pragma once

#include "core/graph/space.hpp"
#include "format/page.hpp"

namespace nearest::format {

inline constexpr std::uint32_t kInvertedMagic = 0x6E69'7666;  ///< "nivf"
inline constexpr std::uint32_t kInvertedVersion = 3;

/// What hot pages hold of a vector. On disk: never renumber.
enum class Codec : std::uint8_t {
  kSigns = 1,    ///< one bit per dimension of the residual (core/quantize/sign_code.hpp)
  kProduct = 2,  ///< product quantization of the residual (core/quantize/product_code.hpp)
};
enum class Rotation : std::uint8_t { kNone = 0, kRandom = 1, kTrained = 2 };
/// What cold pages hold.
enum class Refine : std::uint8_t {
  kNone = 0,
  kScalar = 1,  ///< 8 bits per dimension and what was lost (core/quantize/scalar_code.hpp)
  kHalf = 2,    ///< 16 bits per dimension
  kExtraBits = 3,
  kFloat = 4,  ///< float32: the vector as it is, in the place of a code of its residual
};

struct InvertedMeta {
  std::uint32_t magic, version;

  // Constant until the index is built anew, but for the number of lists and groups and where their
  // centroids and the directory are: a maintenance call writes these anew, and changes all at once.
  std::uint32_t dim;
  core::Metric metric;
  Codec codec;
  Rotation rotation;
  Refine refine;
  std::uint32_t lists;
  std::uint32_t groups;    ///< of lists; 1 if a query ranks all lists
  std::uint32_t segments;  ///< of a code: symbols of 4 bits, or bytes
  std::uint8_t bits;       ///< per symbol of a product code; of a level, extra bits included
  std::uint8_t
      has_left;  ///< 1: some pages have left their lists and may not be free yet; not constant
  std::uint8_t reserved[2];
  std::uint64_t seed;  ///< of the rotation and of the training
  double unit;         ///< see core/graph/space.hpp
  double query_norm;
  double center_norm;
  float error_ratio;  ///< core::ErrorRatio
  float training_error;
  std::uint64_t sample_rows;  ///< 0: untrained
  std::uint64_t built_rows;
  BlockId center_block;  ///< first of a stream of floats each, or kNoBlock
  BlockId codebook_block;
  BlockId matrix_block;
  BlockId groups_block;     ///< centroid pages of the groups; behind one another
  BlockId centroids_block;  ///< of the lists, behind one another
  BlockId directory_block;  ///< behind one another
  BlockId drift_block;      ///< see drift_page.hpp
  std::uint32_t reserved_too;
  std::uint64_t
      model_stamp;  ///< of the model whose vectors the build found; format/model_stamp.hpp
};
static_assert(sizeof(InvertedMeta) == 128 && offsetof(InvertedMeta, model_stamp) == 120 &&
              std::is_trivially_copyable_v<InvertedMeta>);

/// Whether cold pages hold the vectors themselves: an index of ivfflat.
constexpr bool has_vectors(const InvertedMeta& meta) { return meta.refine == Refine::kFloat; }

/// Rows without a place in a list of vectors are in two lists behind the others.
constexpr std::uint32_t zero_rows_list(const InvertedMeta& meta) { return meta.lists; }
constexpr std::uint32_t null_rows_list(const InvertedMeta& meta) { return meta.lists + 1; }
constexpr std::uint32_t directory_entries(const InvertedMeta& meta) { return meta.lists + 2; }

}  // namespace nearest::format
