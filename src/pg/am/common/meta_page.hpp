/// Reading the metapage of an index of ours, whatever its kind.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/common/index_facts.hpp"
#include "pg/buffer.hpp"

namespace nearest::pg {

/// Why a metapage cannot be used.
struct MetaFault {
  const char* what;       ///< null: it can be used
  bool is_other_version;  ///< of which nothing else can be told
};

/// By what metapages of a kind are known and checked. They begin with magic and version, and have
/// dim and metric.
template <class Meta>
struct MetaRules {
  std::uint32_t magic, version;
  const char* no_magic;  ///< what to say of a page that does not begin as one
  const char* (*fault)(const Meta& meta, std::size_t block_bytes) noexcept;  ///< by itself
};

/// Reads the metapage and checks it, by itself and against the catalogs.
template <class Meta>
MetaFault try_read_meta(Relation index, const MetaRules<Meta>& rules, Meta* meta) {
  constexpr BlockNumber kBlock = 0;
  const Buffer buffer = ReadBuffer(index, kBlock);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  const bool is_meta = is_page_of_kind(page, format::PageKind::kMeta);
  const std::size_t used = is_meta ? used_bytes(page) : 0;
  if (is_meta) *meta = *format::at<Meta>(format::ConstPageBytes(content_of(page)), 0);
  UnlockReleaseBuffer(buffer);

  if (!is_meta) return {"The page is not of its kind.", false};
  if (used != sizeof *meta || meta->magic != rules.magic) return {rules.no_magic, false};
  if (meta->version != rules.version) return {"It has another version.", true};
  core::Metric metric{};
  if (!find_metric(index, &metric) || meta->metric != metric) {
    return {"The metapage has another metric than the operator class.", false};
  }
  const int32 dim = TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;
  if (static_cast<std::uint32_t>(dim) != meta->dim) {
    return {"The metapage has other dimensions than the column.", false};
  }
  return {rules.fault(*meta, BLCKSZ), false};
}

/// The same; raises if the metapage is damaged or of another version.
template <class Meta>
Meta read_meta(Relation index, const MetaRules<Meta>& rules) {
  Meta meta;
  const MetaFault fault = try_read_meta(index, rules, &meta);
  if (fault.is_other_version) {
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\" has format version %u, this library knows version %u",
                           RelationGetRelationName(index), meta.version, rules.version),
                    errhint("REINDEX builds the index anew.")));
  }
  if (fault.what != nullptr) report_damaged(index, 0, fault.what);
  return meta;
}

}  // namespace nearest::pg
