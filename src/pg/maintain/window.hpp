/// A window of each day, within which the worker may begin to rebuild indexes.
#pragma once

namespace nearest::pg::maintain {

inline constexpr int kMinutesPerDay = 24 * 60;

/// From the minute `begin` of the day up to, but without, the minute `end`; over midnight if that
/// is earlier. Both are equal for the whole day.
struct Window {
  int begin, end;

  /// Minutes that are left of it at a minute of the day; 0 outside. A window of the whole day has
  /// no end: one day is left.
  constexpr int minutes_left(int minute) const {
    if (begin == end) return kMinutesPerDay;
    const int length = (end - begin + kMinutesPerDay) % kMinutesPerDay;
    const int since = (minute - begin + kMinutesPerDay) % kMinutesPerDay;
    return since < length ? length - since : 0;
  }
};

static_assert(Window{120, 300}.minutes_left(119) == 0);
static_assert(Window{120, 300}.minutes_left(120) == 180);
static_assert(Window{120, 300}.minutes_left(299) == 1);
static_assert(Window{120, 300}.minutes_left(300) == 0);
static_assert(Window{1380, 60}.minutes_left(1439) == 61);  // over midnight
static_assert(Window{1380, 60}.minutes_left(59) == 1);
static_assert(Window{1380, 60}.minutes_left(60) == 0);
static_assert(Window{60, 60}.minutes_left(0) == kMinutesPerDay);

/// Reads 'HH:MM-HH:MM', 24:00 included; nothing is the whole day. False if it is neither.
bool parse_window(const char* text, Window* window);

}  // namespace nearest::pg::maintain
