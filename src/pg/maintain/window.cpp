#include "pg/postgres.hpp"

#include "pg/maintain/window.hpp"

namespace nearest::pg::maintain {

namespace {

/// Reads one or two digits; null if there is none.
const char* parse_number(const char* text, int* number) {
  const char* const begin = text;
  *number = 0;
  while (text - begin < 2 && *text >= '0' && *text <= '9') *number = *number * 10 + (*text++ - '0');
  return text > begin ? text : nullptr;
}

const char* parse_time(const char* text, int* minute) {
  int hours = 0, minutes = 0;
  text = parse_number(text, &hours);
  if (text == nullptr || *text != ':') return nullptr;
  text = parse_number(text + 1, &minutes);
  const bool is_time = hours < 24 ? minutes < 60 : hours == 24 && minutes == 0;
  *minute = (hours * 60 + minutes) % kMinutesPerDay;
  return is_time ? text : nullptr;
}

const char* skip_spaces(const char* text) {
  while (text != nullptr && *text == ' ') ++text;
  return text;
}

}  // namespace

bool parse_window(const char* text, Window* window) {
  *window = {0, 0};
  text = skip_spaces(text);
  if (text == nullptr || *text == '\0') return true;
  text = skip_spaces(parse_time(text, &window->begin));
  if (text == nullptr || *text != '-') return false;
  text = skip_spaces(parse_time(skip_spaces(text + 1), &window->end));
  return text != nullptr && *text == '\0';
}

}  // namespace nearest::pg::maintain
