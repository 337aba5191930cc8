// Reading records back: a cursor over the day files, the latest record first.
#include <algorithm>
#include <limits>
#include <utility>

#include "cdr/archived_days.hpp"
#include "cdr/cdr_filter_sqlite.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/column_filter.hpp"
#include "cdr/corrections_sqlite.hpp"
#include "cdr/day_columns.hpp"
#include "cdr/day_files.hpp"
#include "cdr/query_guards.hpp"
#include "cdr/time_box.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem {
namespace {

/// Where a record stands in the order of the list.
struct Place {
  std::int64_t ended_at_us = 0;
  std::int64_t record_id = 0;
  auto operator<=>(const Place&) const = default;
};

constexpr std::size_t first_page_places = 256;
constexpr std::size_t page_places_max = 65'536;

}  // namespace

struct CdrCursor::Body {
  Body(std::string folder_path, CdrFilter wanted, const CdrGuards& limits, const Clock* clock)
      : folder(std::move(folder_path)),
        filter(std::move(wanted)),
        column_filter(filter),
        rows_max(limits.rows_max),
        box(clock != nullptr ? *clock : system_clock, limits.time_max_ms) {}

  Result<void> find_start(std::uint64_t record_id);
  Result<std::optional<Cdr>> next();
  Result<bool> next_page();
  Result<bool> open_next_day();
  bool open_columns(std::int64_t number);
  Result<std::optional<Cdr>> next_of_columns();
  Result<std::optional<Cdr>> next_of_file();
  [[nodiscard]] bool is_over_limit() const noexcept {
    return rows_max > 0 && rows_read >= rows_max;
  }
  [[nodiscard]] Error too_many() const {
    return {ErrorCode::limit, "more than " + std::to_string(rows_max) +
                                  " records matched; narrow the period or the filter"};
  }
  Result<void> read_places(const cdr::RowCondition& search);
  Result<std::optional<Cdr>> read(std::int64_t record_id);
  Error failure(Error error) const {
    return error.code == ErrorCode::timeout ? box.failure(rows_read) : std::move(error);
  }

  const std::string folder;
  const CdrFilter filter;
  const cdr::ColumnFilter column_filter;
  const std::uint64_t rows_max;
  const SystemClock system_clock;
  cdr::TimeBox box;
  std::vector<std::int64_t> days;               // still to be read, archived or not, the next last
  std::optional<Place> behind;                  // only what comes behind it
  std::optional<std::int64_t> below_record_id;  // when that record itself is not stored
  std::optional<cdr::DayColumns> columns;       // or else:
  std::int64_t columns_day = -1;
  std::optional<cdr::RowFinder> rows;      // of `columns` that may be wanted
  std::optional<std::uint32_t> found_row;  // of them, that was not given yet
  std::optional<cdr::DayRows> day;
  store::Statement select;    // of one record of `day`
  std::vector<Place> places;  // of the day's next records, the next one last
  std::size_t page_size = first_page_places;
  bool is_page_last = false;  // the day has no more than `places`
  std::uint64_t rows_read = 0;
  std::optional<store::Connection> corrections;  // nothing: none was made
  std::optional<Error> failed;                   // a cursor that failed stays where it failed
};

/// Pages go by the order of the list, so the end of the call before the page is needed.
Result<void> CdrCursor::Body::find_start(std::uint64_t record_id) {
  // Above this there are no records, so all of them come behind it.
  constexpr std::uint64_t id_max = std::numeric_limits<std::int64_t>::max();
  const auto id = static_cast<std::int64_t>(std::min(record_id, id_max));
  for (auto each = days.rbegin(); each != days.rend(); ++each) {
    auto file = cdr::DayRows::open(folder, *each, box.watch());
    if (!file) return std::move(file).error();
    if (!*file) continue;
    auto find = (*file)->connection().prepare(std::string("SELECT ended_at_us FROM ") +
                                              cdr::DayRows::source() + " WHERE record_id = ?");
    if (!find) return std::move(find).error();
    auto row = find->bind(1, id).step();
    if (!row) return std::move(row).error();
    if (!*row) continue;
    behind = Place{find->integer(0), id};
    const std::int64_t last = cdr::day_of(behind->ended_at_us);
    std::erase_if(days, [last](std::int64_t other) { return other > last; });
    return {};
  }
  if (!filter.skips_archived) {
    // Without its place, which is in an archive, the list would begin anew with the latest call.
    auto archives = cdr::archives_that_may_have(folder, record_id);
    if (!archives) return std::move(archives).error();
    for (const std::int64_t archived : *archives) {
      auto file = cdr::DayRows::open(folder, archived, box.watch());
      if (!file) return std::move(file).error();
      auto is_there = cdr::is_restored(*file);
      if (!is_there) return std::move(is_there).error();
      if (!*is_there) return cdr::record_is_archived(record_id, archived);
    }
  }
  below_record_id = id;
  return {};
}

/// False: there are no more days.
Result<bool> CdrCursor::Body::open_next_day() {
  select = store::Statement();
  day.reset();
  while (!days.empty()) {
    if (box.is_over()) return box.failure(rows_read);
    const std::int64_t number = days.back();
    days.pop_back();
    if (open_columns(number)) return true;
    auto file = cdr::open_day_to_read(folder, number, filter.skips_archived, box.watch());
    if (!file) {
      if (file.error().code != ErrorCode::wrong_state) return std::move(file).error();
      // It names all that would follow, where it can.
      const std::int64_t first = filter.since_us ? cdr::day_of(*filter.since_us) : 0;
      if (auto all = cdr::check_days_online(folder, first, number); !all)
        return std::move(all).error();
      return std::move(file).error();
    }
    if (!*file) continue;
    auto prepared = (*file)->select_records("WHERE record_id = ?");
    if (!prepared) return std::move(prepared).error();
    day = std::move(*file);
    select = std::move(*prepared);
    is_page_last = false;
    return true;
  }
  return false;
}

/// Begins to read a sealed day by the index of its columns. False: the day file has to be asked,
/// because the question has no whole number in it, or the columns are not there or damaged.
bool CdrCursor::Body::open_columns(std::int64_t number) {
  const auto wanted = cdr::indexed_number(filter);
  if (!wanted || number == columns_day) return false;
  auto opened = cdr::DayColumns::open(folder, number);
  if (!opened) return false;
  rows = opened->file().find(wanted->first, wanted->second);
  found_row.reset();
  columns = std::move(opened);
  columns_day = number;
  return true;
}

/// Nothing: the columns have no more, or could not be read; then their day comes again, and its
/// file says what is behind the last record. `columns` are gone then, unless the time is over.
Result<std::optional<Cdr>> CdrCursor::Body::next_of_columns() {
  bool has_failed = false;
  bool is_of_record = false;  // which its file has no better
  for (;;) {
    if (box.is_over()) return box.failure(rows_read);
    if (!found_row) {
      auto found = rows->next();
      has_failed = !found;
      if (has_failed || !*found) break;
      found_row = *found;
    }
    const std::size_t in_group = *found_row % cdr::group_rows;
    auto group = columns->group_of(*found_row);
    has_failed = !group;
    if (has_failed) break;
    const Place place{(*group)->integer(cdr::column_of("ended_at_us"), in_group),
                      (*group)->integer(cdr::column_of("record_id"), in_group)};
    const bool is_wanted = (!behind || place < *behind) &&
                           (!below_record_id || place.record_id < *below_record_id) &&
                           column_filter.wants(**group, in_group);
    has_failed = (*group)->has_failed();
    if (has_failed) break;
    if (is_wanted) {
      if (is_over_limit()) return too_many();
      auto cdr = columns->record(*found_row);
      has_failed = !cdr;
      is_of_record = has_failed && !(*group)->has_failed();
      if (has_failed) break;
      behind = place;
      found_row.reset();
      return std::optional<Cdr>(std::move(*cdr));
    }
    found_row.reset();
  }
  if (has_failed) {
    if (!is_of_record) cdr::DayColumns::give_up(folder, columns_day);
    days.push_back(columns_day);
  }
  rows.reset();
  columns.reset();
  return std::optional<Cdr>();
}

/// Appends the places of a search, at most a page of them.
Result<void> CdrCursor::Body::read_places(const cdr::RowCondition& search) {
  cdr::RowCondition condition = search;
  if (behind)
    condition.add("ended_at_us <= ? AND (ended_at_us < ? OR record_id < ?)", behind->ended_at_us,
                  behind->ended_at_us, behind->record_id);
  if (below_record_id) condition.add("record_id < ?", *below_record_id);
  auto keys = day->connection().prepare(std::string("SELECT ended_at_us, record_id FROM ") +
                                        cdr::DayRows::source() + " WHERE " + condition.text() +
                                        " ORDER BY ended_at_us DESC, record_id DESC LIMIT ?");
  if (!keys) return std::move(keys).error();
  keys->bind(condition.bind(*keys, 1), static_cast<std::int64_t>(page_size));
  for (std::size_t count = 0;; ++count) {
    auto row = keys->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    if (count + 1 == page_size) is_page_last = false;
    places.push_back({keys->integer(0), keys->integer(1)});
  }
}

/// Fills `places`, or opens columns. False: there are no more records.
Result<bool> CdrCursor::Body::next_page() {
  for (;;) {
    if (!day || is_page_last) {
      auto opened = open_next_day();
      if (!opened || !*opened || columns) return opened;
    }
    // Each search gives the first places of its own, so the first page of all of them is complete.
    is_page_last = true;
    for (const cdr::RowCondition& search : cdr::searches_of(filter, *day)) {
      if (auto done = read_places(search); !done) return std::move(done).error();
    }
    std::sort(places.begin(), places.end(), std::greater<>());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    if (places.size() > page_size) {
      places.resize(page_size);
      is_page_last = false;
    }
    page_size = std::min(page_size * 4, page_places_max);
    if (places.empty()) continue;
    behind = places.back();
    std::reverse(places.begin(), places.end());
    return true;
  }
}

Result<std::optional<Cdr>> CdrCursor::Body::read(std::int64_t record_id) {
  auto row = select.bind(1, record_id).step();
  if (!row) return std::move(row).error();
  if (!*row) {
    select.reset();
    return std::optional<Cdr>();
  }
  auto cdr = cdr::DayRows::read_record(select);
  select.reset();  // and with it the hold on the file
  if (!cdr) return std::move(cdr).error();
  return std::optional<Cdr>(std::move(*cdr));
}

/// Nothing: the record went away since its place was read.
Result<std::optional<Cdr>> CdrCursor::Body::next_of_file() {
  if (box.is_over()) return box.failure(rows_read);
  if (is_over_limit()) return too_many();
  const std::int64_t id = places.back().record_id;
  places.pop_back();
  auto cdr = read(id);
  if (!cdr) return failure(std::move(cdr).error());
  return cdr;
}

Result<std::optional<Cdr>> CdrCursor::Body::next() {
  const cdr::TimeBoxScope inside(box);
  for (;;) {
    if (!columns && places.empty()) {
      auto more = next_page();
      if (!more) return failure(std::move(more).error());
      if (!*more) return std::optional<Cdr>();
    }
    auto cdr = columns ? next_of_columns() : next_of_file();
    if (!cdr) return cdr;
    if (!*cdr) continue;
    ++rows_read;
    if (corrections) {
      if (auto merged = cdr::merge_corrections(*corrections, {&**cdr, 1}); !merged)
        return std::move(merged).error();
    }
    return cdr;
  }
}

CdrCursor::CdrCursor(std::unique_ptr<Body> body) noexcept : body_(std::move(body)) {}
CdrCursor::CdrCursor(CdrCursor&&) noexcept = default;
CdrCursor& CdrCursor::operator=(CdrCursor&&) noexcept = default;
CdrCursor::~CdrCursor() = default;

Result<std::optional<Cdr>> CdrCursor::next() {
  if (body_->failed) return *body_->failed;
  auto cdr = body_->next();
  if (!cdr) body_->failed = cdr.error();
  return cdr;
}

CdrStore::CdrStore(CdrPlace place, CdrGuards guards, const Clock* clock)
    : place_(std::move(place)), guards_(guards), clock_(clock) {}

Result<std::optional<Cdr>> CdrStore::find(std::uint64_t record_id) const {
  const auto find_in = [&](std::optional<cdr::DayRows>& file) -> Result<std::optional<Cdr>> {
    if (!file) return std::optional<Cdr>();
    auto select = file->select_records("WHERE record_id = ?");
    if (!select) return std::move(select).error();
    auto row = select->bind(1, static_cast<std::int64_t>(record_id)).step();
    if (!row) return std::move(row).error();
    if (!*row) return std::optional<Cdr>();
    auto cdr = cdr::DayRows::read_record(*select);
    if (!cdr) return std::move(cdr).error();
    auto corrections = cdr::open_corrections(place_.database);
    if (!corrections) return std::move(corrections).error();
    if (*corrections) {
      if (auto merged = cdr::merge_corrections(**corrections, {&*cdr, 1}); !merged)
        return std::move(merged).error();
    }
    return std::optional<Cdr>(std::move(*cdr));
  };
  auto days = cdr::days_in(place_.folder);
  if (!days) return std::move(days).error();
  for (const std::int64_t day : *days) {  // what is asked for is mostly of the latest ones
    auto file = cdr::DayRows::open(place_.folder, day);
    if (!file) return std::move(file).error();
    auto found = find_in(*file);
    if (!found || *found) return found;
  }
  // Listed after the files, so a day that was archived meanwhile is among them; and one that was
  // restored meanwhile is looked at once more.
  auto archives = cdr::archives_that_may_have(place_.folder, record_id);
  if (!archives) return std::move(archives).error();
  for (const std::int64_t day : *archives) {
    auto file = cdr::DayRows::open(place_.folder, day);
    if (!file) return std::move(file).error();
    auto is_there = cdr::is_restored(*file);
    if (!is_there) return std::move(is_there).error();
    if (!*is_there) return cdr::record_is_archived(record_id, day);
    auto found = find_in(*file);
    if (!found || *found) return found;
  }
  return std::optional<Cdr>();
}

Result<CdrCursor> CdrStore::cursor(const CdrFilter& filter,
                                   std::optional<std::uint64_t> before_record_id) const {
  const std::int64_t now_us = clock_ != nullptr ? clock_->wall_us() : SystemClock().wall_us();
  auto guarded = cdr::guarded_filter(filter, guards_, now_us);
  if (!guarded) return std::move(guarded).error();
  auto body =
      std::make_unique<CdrCursor::Body>(place_.folder, std::move(*guarded), guards_, clock_);
  auto corrections = cdr::open_corrections(place_.database);
  if (!corrections) return std::move(corrections).error();
  body->corrections = std::move(*corrections);
  // Those that are archived stand at their place too, so that a list that comes by says so.
  auto days = cdr::stored_days_of(place_.folder);
  if (!days) return std::move(days).error();
  body->days.assign(days->rbegin(), days->rend());
  if (before_record_id) {
    const cdr::TimeBoxScope inside(body->box);
    if (auto done = body->find_start(*before_record_id); !done)
      return body->failure(std::move(done).error());
  }
  const CdrFilter& wanted = body->filter;
  // Its beginning is that of the guards: an empty list would say that there is nothing older.
  if (!filter.since_us && wanted.since_us && body->behind &&
      body->behind->ended_at_us < *wanted.since_us) {
    return Error{ErrorCode::invalid_argument,
                 "record " + std::to_string(*before_record_id) + " was of " +
                     format_time_us(body->behind->ended_at_us) + ", before the last " +
                     std::to_string(guards_.days_max) + " days"};
  }
  std::erase_if(body->days, [&wanted](std::int64_t day) {
    return (wanted.until_us && day * cdr::day_us >= *wanted.until_us) ||
           (wanted.since_us && day < cdr::day_of(*wanted.since_us));
  });
  return CdrCursor(std::move(body));
}

Result<std::vector<Cdr>> CdrStore::query(const CdrQuery& query) const {
  constexpr std::size_t limit_max = 1'000'000;
  if (query.limit < 1 || query.limit > limit_max) {
    return Error{ErrorCode::invalid_argument,
                 "limit " + std::to_string(query.limit) + " was not in 1..1000000"};
  }
  auto cursor = this->cursor(query, query.before_record_id);
  if (!cursor) return std::move(cursor).error();
  cursor->body_->page_size = std::min(query.limit, page_places_max);
  std::vector<Cdr> found;
  while (found.size() < query.limit) {
    auto cdr = cursor->next();
    if (!cdr) return std::move(cdr).error();
    if (!*cdr) break;
    found.push_back(std::move(**cdr));
  }
  return found;
}

}  // namespace tandem
