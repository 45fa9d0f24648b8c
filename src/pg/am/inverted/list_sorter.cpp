#include "pg/am/inverted/list_sorter.hpp"

extern "C" {
#include "access/tupdesc.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
}

#include <cstring>

namespace nearest::pg::inverted {
namespace {

// The key: list, then the row's number, which 46 bits hold more of than TIDs can name.
constexpr int kRowBits = 46;

TupleDesc row_descriptor() {
  const TupleDesc rows = CreateTemplateTupleDesc(2);
  TupleDescInitEntry(rows, 1, "key", INT8OID, -1, 0);
  TupleDescInitEntry(rows, 2, "row", BYTEAOID, -1, 0);
  return rows;
}

}  // namespace

ListSorter::ListSorter(std::size_t record_bytes, int memory_kb) {
  const TupleDesc rows = row_descriptor();
  AttrNumber column = 1;
  Oid less = Int8LessOperator, collation = InvalidOid;
  bool nulls_first = false;
  sort_ = tuplesort_begin_heap(rows, 1, &column, &less, &collation, &nulls_first, memory_kb,
                               nullptr, TUPLESORT_NONE);
  in_ = MakeSingleTupleTableSlot(rows, &TTSOpsVirtual);
  out_ = MakeSingleTupleTableSlot(rows, &TTSOpsMinimalTuple);
  value_ = static_cast<bytea*>(palloc(VARHDRSZ + sizeof(format::Tid) + record_bytes));
  record_ = static_cast<std::byte*>(palloc(record_bytes + 1));
}

void ListSorter::put(std::uint32_t list, const format::Tid& tid, const std::byte* record,
                     std::size_t bytes) {
  SET_VARSIZE(value_, VARHDRSZ + sizeof tid + bytes);
  std::memcpy(VARDATA(value_), &tid, sizeof tid);
  if (bytes > 0) std::memcpy(VARDATA(value_) + sizeof tid, record, bytes);
  const std::uint64_t key = std::uint64_t{list} << kRowBits | rows_++;
  ExecClearTuple(in_);
  in_->tts_values[0] = Int64GetDatum(static_cast<int64>(key));
  in_->tts_values[1] = PointerGetDatum(value_);
  in_->tts_isnull[0] = in_->tts_isnull[1] = false;
  ExecStoreVirtualTuple(in_);
  tuplesort_puttupleslot(sort_, in_);
}

void ListSorter::sort() { tuplesort_performsort(sort_); }

bool ListSorter::next(std::uint32_t* list, format::Tid* tid, const std::byte** record) {
  if (!tuplesort_gettupleslot(sort_, true, false, out_, nullptr)) return false;
  bool is_null = false;
  const auto key = static_cast<std::uint64_t>(DatumGetInt64(slot_getattr(out_, 1, &is_null)));
  *list = static_cast<std::uint32_t>(key >> kRowBits);
  const Datum value = slot_getattr(out_, 2, &is_null);
  const auto* const bytes = reinterpret_cast<const bytea*>(DatumGetPointer(value));
  std::memcpy(tid, VARDATA_ANY(bytes), sizeof *tid);
  std::memcpy(record_, VARDATA_ANY(bytes) + sizeof *tid, VARSIZE_ANY_EXHDR(bytes) - sizeof *tid);
  *record = record_;
  return true;
}

void ListSorter::finish() {
  tuplesort_end(sort_);
  ExecDropSingleTupleTableSlot(in_);
  ExecDropSingleTupleTableSlot(out_);
  pfree(record_);
  pfree(value_);
}

}  // namespace nearest::pg::inverted
