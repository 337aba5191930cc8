#include "cdr/day_columns_sqlite.hpp"

#include <array>
#include <cstddef>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cdr/call_facts.hpp"
#include "cdr/cdr_json.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/column_writer.hpp"
#include "cdr/day_columns.hpp"

namespace tandem::cdr {
namespace {

constexpr std::size_t number_views = 3;
constexpr std::array<std::array<std::size_t, number_views>, number_sides> views = {
    {{column_of("caller"), column_of("caller_in"), column_of("caller_out")},
     {column_of("callee"), column_of("callee_in"), column_of("callee_out")}}};

/// Goes through the records of a day file in the order of the list.
class RecordRows {
 public:
  static Result<RecordRows> open(store::Connection& day) {
    // A day that an earlier release sealed has not all of them.
    auto there = columns_there(day);
    if (!there) return std::move(there).error();
    std::string sql = "SELECT ";
    for (const RecordColumn& column : record_columns)
      sql.append(sql.ends_with(' ') ? "" : ",").append(column_in(*there, column.name));
    auto rows = day.prepare(sql + " FROM cdr ORDER BY ended_at_us, record_id");
    if (!rows) return std::move(rows).error();
    return RecordRows(std::move(*rows));
  }
  /// False: there are no more.
  Result<bool> next() { return rows_.step(); }
  /// Calls `take(column, value)` for each column, where a value is nullptr, an integer or a text
  /// that lives until the next one.
  template <class Take>
  void take(Take&& take) {
    for (std::size_t i = 0; i < record_column_count; ++i) {
      const auto column = static_cast<int>(i);
      if (i == column_of("legs") && rows_.is_null(column) && make_legs()) {
        // Of a record that an earlier release wrote.
        take(i, std::string_view(legs_));
      } else if (rows_.is_null(column)) {
        take(i, nullptr);
      } else if (record_columns[i].kind == ColumnKind::integer) {
        take(i, rows_.integer(column));
      } else {
        take(i, rows_.text(column));
      }
    }
  }
  /// Calls `take(side, number)` for each number of the record, once each.
  template <class Take>
  void take_numbers(Take&& take) const {
    for (std::size_t side = 0; side < number_sides; ++side) {
      for (std::size_t view = 0; view < number_views; ++view) {
        const std::string_view number = rows_.text(static_cast<int>(views[side][view]));
        bool is_known = false;
        for (std::size_t i = 0; i < view; ++i)
          is_known = is_known || rows_.text(static_cast<int>(views[side][i])) == number;
        if (!is_known) take(static_cast<NumberSide>(side), number);
      }
    }
  }

 private:
  explicit RecordRows(store::Statement rows) : rows_(std::move(rows)) {}
  /// False: its attempts are not readable, and whoever asks for them is told so.
  bool make_legs() {
    const auto integer = [this](std::size_t column) {
      return rows_.integer(static_cast<int>(column));
    };
    auto attempts = attempts_from_json(rows_.text(static_cast<int>(column_of("attempts"))));
    if (!attempts) return false;
    legs_.clear();
    append_legs(legs_,
                legs_of({&*attempts, integer(column_of("started_at_us")),
                         integer(column_of("answered_at_us")), integer(column_of("pdd_ms"))}));
    return true;
  }
  store::Statement rows_;
  std::string legs_;
};

Error differing() {
  return {ErrorCode::corrupt, "columns of a day do not hold what its file holds"};
}

/// Whether a group has these values.
bool has_values(ColumnGroup& group, const std::vector<ColumnValues>& values) {
  std::string scratch;
  for (std::size_t column = 0; column < values.size(); ++column) {
    for (std::size_t row = 0; row < group.rows(); ++row) {
      const ColumnBlock* const block = group.block(column);
      if (block == nullptr || block->is_null(row) != values[column].is_null(row)) return false;
      if (block->is_null(row)) continue;
      if (record_columns[column].kind == ColumnKind::integer) {
        if (group.integer(column, row) != values[column].integer(row)) return false;
      } else {
        const auto text = group.text(column, row, scratch);
        if (!text || *text != values[column].text(row)) return false;
      }
    }
  }
  return !group.has_failed();
}

/// Whether the index leads from a number to a row.
bool is_found(const ColumnFile& columns, NumberSide side, std::string_view number,
              std::uint64_t row) {
  RowFinder rows = columns.find(side, number);
  for (;;) {
    const auto found = rows.next();
    if (!found || !*found || **found < row) return false;
    if (**found == row) return true;
  }
}

}  // namespace

Result<void> write_columns(store::Connection& day, Disk& disk, const std::string& path,
                           ColumnFacts& facts, const Spend& spend) {
  auto rows = RecordRows::open(day);
  if (!rows) return std::move(rows).error();
  auto file = disk.open(path, Disk::Open::create);
  if (!file) return std::move(file).error();
  if (auto done = (*file)->truncate(0); !done) return done;
  ColumnWriter writer(**file, record_column_specs(), spend);
  for (;;) {
    auto row = rows->next();
    if (!row) return std::move(row).error();
    if (!*row) break;
    rows->take([&writer](std::size_t column, auto value) {
      if constexpr (std::is_same_v<decltype(value), std::nullptr_t>) {
        writer.values(column).add_null();
      } else {
        writer.values(column).add(value);
      }
    });
    rows->take_numbers(
        [&writer](NumberSide side, std::string_view number) { writer.add_number(side, number); });
    if (auto done = writer.end_row(); !done) return done;
  }
  if (auto done = writer.finish(facts); !done) return done;
  return (*file)->sync();
}

Result<void> compare_columns(store::Connection& day, const ColumnFile& columns,
                             const Spend& spend) {
  // All of an index is checked by its CRC, and whether it finds what it shall for some records, of
  // which no two have one number: some numbers are in every other record of a day.
  constexpr std::uint64_t looked_up_each = 64;
  constexpr std::size_t looked_up_max = 1'000'000;
  std::unordered_set<std::uint32_t> looked_up[number_sides];
  if (auto checked = columns.check(); !checked) return checked;
  auto rows = RecordRows::open(day);
  if (!rows) return std::move(rows).error();
  std::vector<ColumnValues> values(record_column_count);
  std::uint64_t count = 0;
  Result<void> found;
  const auto compare_group = [&]() -> Result<void> {
    auto group = columns.group(static_cast<std::size_t>((count - 1) / group_rows));
    if (!group) return std::move(group).error();
    group->read_ahead();
    if (group->rows() != values[0].size() || !has_values(*group, values)) return differing();
    for (ColumnValues& each : values)
      each.clear();
    constexpr std::uint64_t bytes_each = 256;  // about
    return spend(group->rows() * bytes_each);
  };
  for (;;) {
    auto row = rows->next();
    if (!row) return std::move(row).error();
    if (!*row) break;
    if (count == columns.facts().records) return differing();
    rows->take([&values](std::size_t column, auto value) {
      if constexpr (std::is_same_v<decltype(value), std::nullptr_t>) {
        values[column].add_null();
      } else {
        values[column].add(value);
      }
    });
    if (count % looked_up_each == 0) {
      rows->take_numbers([&](NumberSide side, std::string_view number) {
        auto& known = looked_up[static_cast<std::size_t>(side)];
        if (known.size() >= looked_up_max || !known.insert(number_hash(number)).second) return;
        if (!is_found(columns, side, number, count)) found = differing();
      });
      if (!found) return found;
    }
    ++count;
    if (values[0].size() < group_rows) continue;
    if (auto done = compare_group(); !done) return done;
  }
  if (count != columns.facts().records) return differing();
  if (!values.empty() && values[0].size() > 0) return compare_group();
  return {};
}

}  // namespace tandem::cdr
