/// Text and binary input and output, and the type modifier, of dense vector types.
#pragma once

#include "pg/type/vector_datum.hpp"

extern "C" {
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
}

#include <bit>
#include <cstring>
#include <span>
#include <string_view>

#include "format/vector_text.hpp"

namespace nearest::pg {

/// Turns what the parser found into the error that pgvector's clients know.
template <core::Element T>
[[noreturn]] void report_text_error(const char* text, const format::ParsedVectorText& parsed) {
  using enum format::VectorTextError;
  constexpr const char* kName = SqlType<T>::kName;
  switch (parsed.error) {
    case kEmpty:
      check_dim<T>(0);
      break;
    case kTooManyElements:
      check_dim<T>(format::kMaxDim + 1);
      break;
    case kOutOfRange:
      ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                      errmsg("\"%.*s\" is out of range for type %s",
                             static_cast<int>(parsed.token.size()), parsed.token.data(), kName)));
      break;
    case kNotANumber:
      report_not_finite<float>(std::bit_cast<float>(0x7FC0'0000));
    case kInfinite:
      report_not_finite<float>(std::bit_cast<float>(0x7F80'0000));
    default:
      ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                      errmsg("invalid input syntax for type %s: \"%s\"", kName, text),
                      parsed.error == kNoOpeningBracket
                          ? errdetail("Vector contents must start with \"[\".")
                      : parsed.error == kJunkAtEnd ? errdetail("Junk after closing right brace.")
                                                   : 0));
  }
  pg_unreachable();
}

/// (cstring, oid, typmod) -> T
template <core::Element T>
Datum dense_in(FunctionCallInfo fcinfo) {
  const std::string_view text = PG_GETARG_CSTRING(0);
  const int32 typmod = PG_GETARG_INT32(2);

  Value<T>* result = new_vector<T>(format::max_elements(text));
  const format::ParsedVectorText parsed =
      format::read_vector_text(text, {result->elements(), result->dim});
  if (parsed.error != format::VectorTextError::kNone) report_text_error<T>(text.data(), parsed);
  check_expected_dim(typmod, parsed.dim);
  PG_RETURN_POINTER(
      result);  // on success max_elements was exact: each comma separates two elements
}

/// (T) -> cstring
template <core::Element T>
Datum dense_out(FunctionCallInfo fcinfo) {
  Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  if (!are_finite<T>(value->view())) {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("stored value of type %s is damaged", SqlType<T>::kName),
                    errdetail("It holds NaN or an infinite number.")));
  }
  char* text = static_cast<char*>(palloc(format::max_text_bytes(value->dim)));
  format::write_vector_text(value->view(), text);
  free_if_copy<T>(value, fcinfo, 0);
  PG_RETURN_CSTRING(text);
}

/// (cstring[]) -> integer: the dimension of vector(n), as it is.
template <core::Element T>
Datum dense_typmod_in(FunctionCallInfo fcinfo) {
  int n_modifiers = 0;
  const int32* modifiers = ArrayGetIntegerTypmods(PG_GETARG_ARRAYTYPE_P(0), &n_modifiers);
  if (n_modifiers != 1) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid type modifier")));
  }
  if (modifiers[0] < 1) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("dimensions for type %s must be at least 1", SqlType<T>::kName)));
  }
  if (modifiers[0] > static_cast<int32>(format::kMaxDim)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("dimensions for type %s cannot exceed %u", SqlType<T>::kName,
                           format::kMaxDim)));
  }
  PG_RETURN_INT32(modifiers[0]);
}

/// Elements in the network's byte order, which is big-endian. `from` may lie anywhere, `to` too.
inline void swap_elements(const void* from, std::size_t n, void* to) {
  static_assert(std::endian::native == std::endian::little);
  const auto* source = static_cast<const char*>(from);
  auto* target = static_cast<char*>(to);
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, source + i * sizeof bits, sizeof bits);
    bits = pg_bswap32(bits);
    std::memcpy(target + i * sizeof bits, &bits, sizeof bits);
  }
}

/// (internal, oid, typmod) -> T. Wire format: int16 dim, int16 zero, elements; all big-endian.
template <core::Element T>
Datum dense_recv(FunctionCallInfo fcinfo) {
  auto* message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  const int32 typmod = PG_GETARG_INT32(2);

  const unsigned dim = pq_getmsgint(message, sizeof(int16));
  const unsigned reserved = pq_getmsgint(message, sizeof(int16));
  check_dim<T>(dim);
  check_expected_dim(typmod, dim);
  if (reserved != 0) {
    ereport(ERROR,
            (errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected unused to be 0, not %u", reserved)));
  }

  // Asks for all bytes before anything is allocated: a short message is refused here.
  const char* bytes = pq_getmsgbytes(message, static_cast<int>(dim * sizeof(T)));
  Value<T>* result = new_vector<T>(dim);
  swap_elements(bytes, dim, result->elements());
  check_finite<T>(result->view());
  PG_RETURN_POINTER(result);
}

/// (T) -> bytea, as dense_recv reads it.
template <core::Element T>
Datum dense_send(FunctionCallInfo fcinfo) {
  const Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  const int n_bytes = static_cast<int>(value->dim * sizeof(T));
  StringInfoData message;
  pq_begintypsend(&message);
  enlargeStringInfo(&message, 2 * static_cast<int>(sizeof(int16)) + n_bytes);
  pq_sendint16(&message, value->dim);
  pq_sendint16(&message, value->reserved);
  swap_elements(value->elements(), value->dim, message.data + message.len);
  message.len += n_bytes;
  message.data[message.len] = '\0';
  PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/// (T, typmod, explicit) -> T: the length coercion to vector(n), which only checks.
template <core::Element T>
Datum dense_enforce_typmod(FunctionCallInfo fcinfo) {
  Value<T>* value = get_vector_argument<T>(fcinfo, 0);
  check_expected_dim(PG_GETARG_INT32(1), value->dim);
  PG_RETURN_POINTER(value);
}

}  // namespace nearest::pg
