#include "cdr/record_scan_sqlite.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "cdr/archived_days.hpp"
#include "cdr/corrections_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "cdr/query_guards.hpp"

namespace tandem::cdr {
namespace {

constexpr std::size_t first_page_rows = 64;  // enough for most that want the latest ones only
constexpr std::size_t page_rows_max = 1'024;

/// Calls `take(column, value)` for each column that corrections change.
template <class Take>
void take_charges(const Cdr& cdr, Take&& take) {
  const auto side = [&take](const ChargeFacts& facts, std::array<std::size_t, 5> columns) {
    take(columns[0], facts.billed_time_s);
    take(columns[1], facts.charge.units());
    take(columns[2], std::string_view(facts.rate_prefix));
    take(columns[3], std::string_view(facts.rate_deck));
    take(columns[4], std::string_view(facts.rate_terms));
  };
  side(cdr.customer, {column_of("billed_time_s"), column_of("charge_units"),
                      column_of("rate_prefix"), column_of("rate_deck"), column_of("rate_terms")});
  if (cdr.vendor) {
    side(*cdr.vendor, {column_of("vendor_billed_time_s"), column_of("vendor_charge_units"),
                       column_of("vendor_rate_prefix"), column_of("vendor_rate_deck"),
                       column_of("vendor_rate_terms")});
  }
  if (cdr.agent) {
    side(*cdr.agent, {column_of("agent_billed_time_s"), column_of("agent_charge_units"),
                      column_of("agent_rate_prefix"), column_of("agent_rate_deck"),
                      column_of("agent_rate_terms")});
  }
}

bool is_corrected_column(std::size_t column) {
  Cdr all;
  all.vendor.emplace();
  all.agent.emplace();
  bool is_one = false;
  take_charges(all, [&](std::size_t each, const auto&) { is_one = is_one || each == column; });
  return is_one;
}

}  // namespace

void ScanPage::clear() {
  order_.clear();
  keys_.clear();
  cells_.clear();
  texts_.clear();
}

void ScanPage::sort(bool is_newest_first, std::size_t rows_max) {
  std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return is_newest_first ? keys_[b] < keys_[a] : keys_[a] < keys_[b];
  });
  const auto same = [&](std::size_t a, std::size_t b) { return keys_[a] == keys_[b]; };
  order_.erase(std::unique(order_.begin(), order_.end(), same), order_.end());
  if (order_.size() > rows_max) order_.resize(rows_max);
}

RecordScan::RecordScan(CdrPlace place, ScanWish wish, const CdrGuards& guards, const Clock* clock)
    : place_(std::move(place)),
      wish_(std::move(wish)),
      column_filter_(wish_.filter),
      rows_max_(guards.rows_max),
      box_(clock != nullptr ? *clock : system_clock_, guards.time_max_ms),
      watch_([this] { return is_over(); }),
      page_size_(first_page_rows),
      page_(wish_.columns.size()) {}

Result<std::unique_ptr<RecordScan>> RecordScan::open(const CdrPlace& place, ScanWish wish,
                                                     const CdrGuards& guards, const Clock* clock) {
  const std::int64_t now_us = clock != nullptr ? clock->wall_us() : SystemClock().wall_us();
  auto guarded = guarded_filter(wish.filter, guards, now_us);
  if (!guarded) return std::move(guarded).error();
  wish.filter = std::move(*guarded);
  std::unique_ptr<RecordScan> scan(new RecordScan(place, std::move(wish), guards, clock));
  const ScanWish& wanted = scan->wish_;
  scan->wants_corrected_ =
      std::any_of(wanted.columns.begin(), wanted.columns.end(), is_corrected_column);
  if (scan->wants_corrected_) {
    auto corrections = open_corrections(place.database);
    if (!corrections) return std::move(corrections).error();
    scan->corrections_ = std::move(*corrections);
  }
  // Where one record is, archives need not be asked: they are when it was not found.
  auto days = wanted.record_id ? days_in(place.folder) : stored_days_of(place.folder);
  if (!days) return std::move(days).error();
  std::erase_if(*days, [&filter = wanted.filter](std::int64_t day) {
    return (filter.until_us && day * day_us >= *filter.until_us) ||
           (filter.since_us && day < day_of(*filter.since_us));
  });
  if (scan->is_newest_first() || wanted.record_id) std::reverse(days->begin(), days->end());
  scan->days_ = std::move(*days);
  return scan;
}

Result<bool> RecordScan::next() {
  if (failed_) return *failed_;
  const TimeBoxScope inside(box_);
  auto more = advance();
  if (more) return more;
  failed_ = more.error();
  if (failed_->code == ErrorCode::timeout) failed_ = box_.failure(rows_read_);
  return *failed_;
}

Result<bool> RecordScan::advance() {
  if (has_begun_) ++row_;
  has_begun_ = true;
  while (row_ >= page_.rows()) {
    row_ = 0;
    page_.clear();
    auto more = fill();
    if (!more || !*more) return more;
  }
  if (rows_max_ > 0 && rows_read_ >= rows_max_) {
    return Error{ErrorCode::limit, "more than " + std::to_string(rows_max_) +
                                       " records matched; narrow the period or the filter"};
  }
  ++rows_read_;
  return true;
}

/// False: there are no more. The page may still be empty when there are.
Result<bool> RecordScan::fill() {
  if (is_over()) return box_.failure(rows_read_);
  if (!columns_ && !file_) {
    if (wish_.record_id && is_found_) return false;
    auto opened = open_next_day();
    if (!opened || !*opened) return opened;
  }
  if (columns_) {
    auto more = fill_from_columns();
    if (more && *more) return true;
    if (!more && (more.error().code == ErrorCode::timeout || have_corrections_failed_)) return more;
    if (!more) DayColumns::give_up(place_.folder, day_);
    columns_.reset();
    finder_.reset();
    if (!more) {  // its file says the same, and what is behind the last row
      avoided_day_ = day_;
      days_.push_back(day_);
    }
    return true;
  }
  auto more = fill_from_file();
  if (!more) return more;
  if (page_.rows() > 0) is_found_ = true;
  if (!*more) {
    select_ = store::Statement();
    file_.reset();
  }
  return true;
}

/// False: there are no more days.
Result<bool> RecordScan::open_next_day() {
  while (!days_.empty()) {
    if (is_over()) return box_.failure(rows_read_);
    const std::int64_t day = days_.back();
    days_.pop_back();
    if (day != day_) behind_.reset();
    day_ = day;
    if (auto done = read_corrected(day); !done) return std::move(done).error();
    if (open_columns(day)) return true;
    auto file = wish_.record_id
                    ? DayRows::open(place_.folder, day, &watch_)
                    : open_day_to_read(place_.folder, day, wish_.filter.skips_archived, &watch_);
    if (!file) {
      if (file.error().code != ErrorCode::wrong_state) return std::move(file).error();
      // It names all that are wanted, where it can.
      if (auto all = check_days_online(place_.folder, wish_.filter); !all)
        return std::move(all).error();
      return std::move(file).error();
    }
    if (!*file) continue;
    file_ = std::move(*file);
    const CdrFilter& filter = wish_.filter;
    file_filter_ = filter;
    const bool is_whole = (!filter.since_us || *filter.since_us <= day * day_us) &&
                          (!filter.until_us || *filter.until_us / day_us > day) && day > 0;
    if (is_whole) {
      // Nothing for the planner of SQLite to think about.
      file_filter_.since_us.reset();
      file_filter_.until_us.reset();
    }
    const bool is_by_number = searches_of(file_filter_, *file_).size() > 1 ||
                              !filter.caller_billing.empty() || !filter.callee_billing.empty();
    is_by_record_ = wish_.order == ScanOrder::any && !is_by_number && !behind_ &&
                    (is_whole || (!filter.since_us && !filter.until_us));
    is_day_over_ = false;
    return true;
  }
  if (wish_.record_id && !wish_.filter.skips_archived) {
    if (auto done = check_archives(); !done) return std::move(done).error();
  }
  return false;
}

/// Errors: wrong_state (the record that was not found may be in an archive), io.
Result<void> RecordScan::check_archives() const {
  if (*wish_.record_id < 0) return {};
  const auto id = static_cast<std::uint64_t>(*wish_.record_id);
  auto archives = archives_that_may_have(place_.folder, id);
  if (!archives) return std::move(archives).error();
  for (const std::int64_t day : *archives) {
    auto file = DayRows::open(place_.folder, day, &watch_);
    if (!file) return std::move(file).error();
    auto is_there = is_restored(*file);
    if (!is_there) return std::move(is_there).error();
    if (!*is_there) return record_is_archived(id, day);
  }
  return {};
}

Result<void> RecordScan::read_corrected(std::int64_t day) {
  corrected_.clear();
  if (!corrections_) return {};
  auto found = corrected_sides(*corrections_, day * day_us, (day + 1) * day_us);
  if (!found) return std::move(found).error();
  for (const SideDifference& one : *found)
    corrected_.insert(static_cast<std::int64_t>(one.record_id));
  return {};
}

Result<void> RecordScan::correct(Result<Cdr> cdr) {
  if (!cdr) return std::move(cdr).error();
  if (auto merged = merge_corrections(*corrections_, {&*cdr, 1}); !merged) {
    have_corrections_failed_ = true;
    return merged;
  }
  const std::size_t row = page_.rows() - 1;
  take_charges(*cdr, [&](std::size_t column, auto value) {
    for (std::size_t i = 0; i < wish_.columns.size(); ++i) {
      if (wish_.columns[i] == column && !page_.is_null(row, i)) page_.set(row, i, value);
    }
  });
  return {};
}

// Columns of a sealed day.

/// False: the day file has to be asked.
bool RecordScan::open_columns(std::int64_t day) {
  if (wish_.record_id || day == avoided_day_) return false;
  auto opened = DayColumns::open(place_.folder, day);
  if (!opened) return false;
  columns_ = std::move(opened);
  auto narrowed = narrow_columns();
  if (narrowed) return true;
  if (narrowed.error().code != ErrorCode::timeout) DayColumns::give_up(place_.folder, day);
  columns_.reset();
  finder_.reset();
  return false;
}

/// Leaves out groups in which the filter wants nothing.
Result<void> RecordScan::narrow_columns() {
  const ColumnFile& file = columns_->file();
  const CdrFilter& filter = wish_.filter;
  begin_group_ = 0;
  end_group_ = file.groups();
  finder_.reset();
  wanted_groups_.reset();
  if (filter.until_us) {
    auto end = first_group_from(file, *filter.until_us);
    if (!end) return std::move(end).error();
    end_group_ = *end;
  }
  if (filter.since_us) {
    auto begin = first_group_from(file, *filter.since_us);
    if (!begin) return std::move(begin).error();
    begin_group_ = *begin == 0 ? 0 : *begin - 1;  // which may end later than it begins
  }
  const auto number = indexed_number(filter);
  if (!number) return {};
  finder_ = file.find(number->first, number->second);
  if (is_newest_first()) return {};  // it goes that way itself, and may not have to go on
  wanted_groups_.emplace(file.groups());
  constexpr std::uint64_t looks_each = 4'096;
  for (std::uint64_t count = 0;; ++count) {
    if (count % looks_each == 0 && is_over()) return box_.failure(rows_read_);
    const auto row = finder_->next();
    if (!row) return row.error();
    if (!*row || **row / group_rows < begin_group_) break;
    (*wanted_groups_)[**row / group_rows] = true;
  }
  finder_.reset();
  return {};
}

/// Nothing: there are no more.
Result<std::optional<std::size_t>> RecordScan::next_group() {
  if (finder_) {
    while (begin_group_ < end_group_) {
      auto row = finder_->next();
      if (!row) return std::move(row).error();
      if (!*row) break;
      const std::size_t group = **row / group_rows;
      if (group >= end_group_) continue;  // read already, or behind the period
      if (group < begin_group_) break;
      end_group_ = group;
      return std::optional(group);
    }
    return std::optional<std::size_t>();
  }
  while (begin_group_ < end_group_) {
    const std::size_t group = is_newest_first() ? --end_group_ : begin_group_++;
    if (!wanted_groups_ || (*wanted_groups_)[group]) return std::optional(group);
  }
  return std::optional<std::size_t>();
}

Result<bool> RecordScan::fill_from_columns() {
  auto group = next_group();
  if (!group) return std::move(group).error();
  if (!*group) return false;
  if (auto done = read_group(**group); !done) {
    page_.clear();
    return std::move(done).error();
  }
  if (page_.rows() > 0) behind_ = page_.key(page_.rows() - 1);
  return true;
}

Result<void> RecordScan::read_group(std::size_t number) {
  auto found = columns_->group_of(number * group_rows);
  if (!found) return std::move(found).error();
  ColumnGroup& group = **found;
  if (wish_.columns.size() > record_column_count / 2) group.read_ahead();
  std::string scratch;
  for (std::size_t i = 0; i < group.rows(); ++i) {
    const std::size_t row = is_newest_first() ? group.rows() - 1 - i : i;
    const Key key{group.integer(column_of("ended_at_us"), row),
                  group.integer(column_of("record_id"), row)};
    if (!is_behind(key) || (!column_filter_.wants_all() && !column_filter_.wants(group, row)))
      continue;
    page_.begin_row(key);
    for (const std::size_t column : wish_.columns) {
      const ColumnBlock* const block = group.block(column);
      if (block == nullptr || block->is_null(row)) {
        page_.add_null();
      } else if (record_columns[column].kind == ColumnKind::integer) {
        page_.add(group.integer(column, row));
      } else {
        page_.add(group.text(column, row, scratch).value_or(std::string_view()));
      }
    }
    if (!group.has_failed() && corrected_.contains(key.record_id)) {
      if (auto done = correct(columns_->record(number * group_rows + row)); !done) return done;
    }
  }
  if (group.has_failed()) return Error{ErrorCode::corrupt, "columns of a day were not readable"};
  return {};
}

// A day file.

Result<bool> RecordScan::fill_from_file() {
  if (is_day_over_) return false;
  bool has_more = false;
  const std::vector<RowCondition> searches = searches_of(file_filter_, *file_);
  for (const RowCondition& search : searches) {
    if (auto done = read_rows(search, has_more); !done) return std::move(done).error();
  }
  // Each search gives the first rows of its own, so the first page of all of them is complete.
  if (searches.size() > 1) {
    has_more = has_more || page_.rows() > page_size_;
    page_.sort(is_newest_first(), page_size_);
  }
  if (page_.rows() > 0) behind_ = page_.key(page_.rows() - 1);
  page_size_ = std::min(page_size_ * 4, page_rows_max);
  is_day_over_ = !has_more;
  return true;
}

/// Appends the rows of a search, at most a page of them.
Result<void> RecordScan::read_rows(const RowCondition& search, bool& has_more) {
  RowCondition condition = search;
  if (wish_.record_id) condition.add("record_id = ?", *wish_.record_id);
  if (behind_ && is_by_record_) {
    condition.add("record_id > ?", behind_->record_id);
  } else if (behind_ && is_newest_first()) {
    condition.add("ended_at_us <= ? AND (ended_at_us < ? OR record_id < ?)", behind_->ended_at_us,
                  behind_->ended_at_us, behind_->record_id);
  } else if (behind_) {
    condition.add("ended_at_us >= ? AND (ended_at_us > ? OR record_id > ?)", behind_->ended_at_us,
                  behind_->ended_at_us, behind_->record_id);
  }
  std::string sql = "SELECT ended_at_us, record_id";
  for (const std::size_t column : wish_.columns)
    sql += ", " + file_->column(record_columns[column].name);
  sql += std::string(" FROM ") + DayRows::source() + " WHERE " + condition.text();
  sql += is_by_record_       ? " ORDER BY record_id"
         : is_newest_first() ? " ORDER BY ended_at_us DESC, record_id DESC"
                             : " ORDER BY ended_at_us, record_id";
  auto rows = file_->connection().prepare(sql + " LIMIT ?");
  if (!rows) return std::move(rows).error();
  rows->bind(condition.bind(*rows, 1), static_cast<std::int64_t>(page_size_));
  for (std::size_t count = 0;;) {
    auto row = rows->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    if (++count == page_size_) has_more = true;
    page_.begin_row({rows->integer(0), rows->integer(1)});
    for (std::size_t i = 0; i < wish_.columns.size(); ++i) {
      const int at = static_cast<int>(i) + 2;
      if (rows->is_null(at)) {
        page_.add_null();
      } else if (record_columns[wish_.columns[i]].kind == ColumnKind::integer) {
        page_.add(rows->integer(at));
      } else {
        page_.add(rows->text(at));
      }
    }
    if (!corrected_.contains(rows->integer(1))) continue;
    if (!select_) {
      auto prepared = file_->select_records("WHERE record_id = ?");
      if (!prepared) return std::move(prepared).error();
      select_ = std::move(*prepared);
    }
    auto whole = select_.bind(1, rows->integer(1)).step();
    if (!whole) return std::move(whole).error();
    auto done = *whole ? correct(DayRows::read_record(select_)) : Result<void>();
    select_.reset();
    if (!done) return done;
  }
  return {};
}

}  // namespace tandem::cdr
