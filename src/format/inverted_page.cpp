#include "format/inverted_page.hpp"

#include "core/no_postgres.hpp"

namespace nearest::format {
namespace {

constexpr std::uint32_t kAlign = 32;  ///< of codes, for kernels

/// Fills in where the parts of a page with so many slots are.
void lay_out(ListShape* shape, std::uint32_t slots) {
  const auto aligned = [](std::size_t offset, std::size_t to) {
    return static_cast<std::uint32_t>(align_up(offset, to));
  };
  shape->slots = slots;
  shape->n_cold =
      shape->cold_per_page == 0 ? 0 : (slots + shape->cold_per_page - 1) / shape->cold_per_page;
  shape->cold_offset = sizeof(ListPageHeader);
  shape->tids_offset =
      aligned(shape->cold_offset + std::size_t{shape->n_cold} * sizeof(BlockId), 8);
  shape->factors_offset = aligned(shape->tids_offset + std::size_t{slots} * sizeof(Tid), 8);
  const std::size_t factors = shape->has_factors ? std::size_t{3} * slots * sizeof(float) : 0;
  // The page's content begins 24 bytes behind an aligned address.
  const std::size_t codes = shape->factors_offset + factors;
  shape->codes_offset = shape->row_bytes == 0 ? static_cast<std::uint32_t>(codes)
                                              : aligned(codes + kServerHeaderBytes, kAlign) -
                                                    static_cast<std::uint32_t>(kServerHeaderBytes);
  const std::size_t code_bytes = shape->is_packed
                                     ? std::size_t{(slots + 31) / 32} * shape->block_bytes()
                                     : std::size_t{slots} * shape->row_bytes;
  shape->used_bytes = static_cast<std::uint32_t>(shape->codes_offset + code_bytes);
}

/// The most slots that fit, in steps of 32 for packed codes; or fewer, if these fill their cold
/// pages and rows so take less room.
ListShape fit(ListShape shape, std::size_t block_bytes) {
  const std::size_t content = content_bytes(block_bytes);
  const std::uint32_t step = shape.is_packed ? 32 : 1;
  std::uint32_t slots = 0;
  while (true) {
    lay_out(&shape, slots + step);
    if (shape.used_bytes > content || shape.n_cold > kMostColdPages) break;
    slots += step;
  }
  const std::uint32_t filling =
      shape.cold_per_page == 0 ? 0 : slots / shape.cold_per_page * shape.cold_per_page;
  lay_out(&shape, slots);
  const std::uint32_t pages = 1 + shape.n_cold;
  if (filling > 0 && (1 + filling / shape.cold_per_page) * slots < pages * filling) {
    lay_out(&shape, filling);
  }
  return shape;
}

/// Of a row on a cold page.
std::uint32_t cold_bytes(const InvertedMeta& meta, std::uint32_t row_bytes) {
  std::size_t bytes = sizeof(ColdHeader) + sizeof(CodeHeader);
  switch (meta.refine) {
    case Refine::kNone:
      return 0;
    case Refine::kScalar:
      bytes += meta.dim;
      break;
    case Refine::kHalf:
      bytes += 2 * std::size_t{meta.dim};
      break;
    case Refine::kExtraBits:
      bytes += core::extra_bits_bytes(meta.dim, meta.bits) +
               core::code_row_bytes(core::sign_segments(meta.dim)) - row_bytes;
      break;
    case Refine::kFloat:
      bytes = sizeof(ColdHeader) + meta.dim * sizeof(float);
      break;
  }
  return static_cast<std::uint32_t>(align_up(bytes, 4));
}

}  // namespace

std::uint32_t most_segments(std::size_t block_bytes) noexcept {
  const std::size_t slots = 32;
  const std::size_t rest = sizeof(ListPageHeader) + kMostColdPages * sizeof(BlockId) +
                           slots * (sizeof(Tid) + 3 * sizeof(float)) + 2 * kAlign;
  return static_cast<std::uint32_t>((content_bytes(block_bytes) - rest) / 16 / 2 * 2);
}

ListShape list_shape(const InvertedMeta& meta, std::size_t block_bytes) noexcept {
  ListShape shape{};
  shape.is_packed =
      meta.codec == Codec::kSigns || (meta.codec == Codec::kProduct && meta.bits == 4);
  shape.has_factors = true;
  shape.segments = shape.is_packed ? meta.segments : 0;
  shape.row_bytes = shape.is_packed
                        ? static_cast<std::uint32_t>(core::code_row_bytes(meta.segments))
                        : meta.segments;
  shape.cold_bytes = cold_bytes(meta, shape.row_bytes);
  if (shape.cold_bytes > 0) {
    shape.cold_per_page = static_cast<std::uint32_t>(
        (content_bytes(block_bytes) - sizeof(ColdPageHeader)) / shape.cold_bytes);
    if (shape.cold_per_page == 0) return {};
  }
  return fit(shape, block_bytes);
}

ListShape tid_list_shape(std::size_t block_bytes) noexcept { return fit({}, block_bytes); }

void put_row(const ListPage& page, std::uint32_t slot, const Tid& tid,
             const core::CodeFactors& factors, const std::uint8_t* code) noexcept {
  const ListShape& shape = *page.shape;
  ListPageHeader& header = page.header();
  page.tids()[slot] = tid;
  if (shape.has_factors) {
    page.a()[slot] = factors.a;
    page.b()[slot] = factors.b;
    page.error()[slot] = factors.error;
  }
  const bool is_new = slot == header.n_slots;
  if (shape.row_bytes > 0) {
    if (page.is_in_block(slot)) {
      core::put_code(page.block(slot), shape.segments, slot % 32, code);
    } else {
      std::memcpy(page.row(slot), code, shape.row_bytes);
    }
  }
  if (!is_new) return;
  header.n_slots = static_cast<std::uint16_t>(slot + 1);
  if (!page.is_in_block(slot)) return;
  // The block is full, or the page: its rows become columns.
  constexpr std::size_t kMostBlockBytes = 32768;
  alignas(8) std::uint8_t rows[kMostBlockBytes];
  std::memcpy(rows, page.block(slot), shape.block_bytes());
  core::pack_block(rows, shape.row_bytes, slot % 32 + 1, shape.segments, page.block(slot));
}

void drop_row(const ListPage& page, std::uint32_t slot) noexcept {
  page.tids()[slot] = kDeadTid;
  if (!page.shape->has_factors) return;
  page.a()[slot] = kDeadFactors.a;
  page.b()[slot] = kDeadFactors.b;
  page.error()[slot] = kDeadFactors.error;
}

}  // namespace nearest::format
