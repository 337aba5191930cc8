#include "cdr/day_columns.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "cdr/day_files.hpp"
#include "cdr/disk.hpp"
#include "cdr/record_row.hpp"

namespace tandem::cdr {
namespace {

Error failure(const std::string& path) {
  const int number = errno;
  return {ErrorCode::io,
          "could not examine \"" + path + "\": " + std::generic_category().message(number)};
}

bool is_not_empty(const std::string& path) {
  struct stat status {};
  // One that cannot be looked at may be anything.
  return stat(path.c_str(), &status) == 0 ? status.st_size > 0 : errno != ENOENT;
}

constexpr int left_out = -1;

/// Place among record_columns of each column that select_records() names.
constexpr auto places = [] {
  // Where the table has a charge in decimals, in front of that in units.
  constexpr std::string_view before[] = {"charge_units", "vendor_charge_units",
                                         "agent_charge_units", "package_charge_units",
                                         "agent_package_charge_units"};
  std::array<int, record_column_count + std::size(before)> all{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < record_column_count; ++i) {
    for (const std::string_view name : before) {
      if (record_columns[i].name == name) all[at++] = left_out;
    }
    all[at++] = static_cast<int>(i);
  }
  return all;
}();

}  // namespace

const std::vector<ColumnSpec>& record_column_specs() {
  static const std::vector<ColumnSpec> specs = [] {
    std::vector<ColumnSpec> all;
    for (const RecordColumn& column : record_columns) {
      std::int32_t usual = -1;
      for (std::size_t i = 0; i < record_column_count && !column.usual.empty(); ++i) {
        if (record_columns[i].name == column.usual) usual = static_cast<std::int32_t>(i);
      }
      all.push_back({std::string(column.name), column.kind, usual});
    }
    return all;
  }();
  return specs;
}

Result<std::optional<DayFileState>> day_file_state(const std::string& path) {
  using Found = std::optional<DayFileState>;
  if (is_not_empty(path + "-wal") || is_not_empty(path + "-journal")) return Found();
  // Looked at, never opened: closing a descriptor of an SQLite file gives up all locks that SQLite
  // has on it in this process, and with them what others must not do meanwhile.
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return Found();
    return failure(path);
  }
  DayFileState state;
  state.bytes = static_cast<std::uint64_t>(status.st_size);
  state.changed_at_ns =
      std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return Found(state);
}

std::int64_t ColumnRow::integer(int column) const {
  const int place = places[static_cast<std::size_t>(column)];
  return place == left_out ? 0 : group_->integer(static_cast<std::size_t>(place), row_);
}

std::string ColumnRow::text(int column) const {
  const int place = places[static_cast<std::size_t>(column)];
  if (place == left_out) return {};
  std::string scratch;
  const auto text = group_->text(static_cast<std::size_t>(place), row_, scratch);
  return text ? std::string(*text) : std::string();
}

bool ColumnRow::is_null(int column) const {
  const int place = places[static_cast<std::size_t>(column)];
  if (place == left_out) return true;
  const ColumnBlock* const block = group_->block(static_cast<std::size_t>(place));
  return block == nullptr || block->is_null(row_);
}

Result<DayColumns> DayColumns::open_locked(const std::string& folder, std::int64_t day) {
  auto opened = PosixDisk().open(folder + "/" + columns_name(day), Disk::Open::read);
  if (!opened) return std::move(opened).error();
  auto file = ColumnFile::open(std::move(*opened));
  if (!file) return std::move(file).error();
  auto state = day_file_state(folder + "/" + day_name(day));
  if (!state) return std::move(state).error();
  if (!*state || (*file)->facts().made_of != **state || (*file)->facts().day != day ||
      (*file)->columns() != record_column_specs())
    return Error{ErrorCode::wrong_state,
                 "\"" + columns_name(day) + "\" was not of the day file that is there"};
  return DayColumns(std::move(*file));
}

std::optional<DayColumns> DayColumns::open(const std::string& folder, std::int64_t day) {
  if (access((folder + "/" + columns_name(day)).c_str(), R_OK) != 0) return std::nullopt;
  if (access((folder + "/" + bad_columns_name(day)).c_str(), F_OK) == 0) return std::nullopt;
  auto lock = DayLock::reading(folder, day);
  if (!lock) return std::nullopt;
  auto columns = open_locked(folder, day);
  if (!columns) return std::nullopt;
  columns->lock_ = std::move(*lock);
  return std::move(*columns);
}

void DayColumns::give_up(const std::string& folder, std::int64_t day) noexcept {
  try {
    (void)PosixDisk().open(folder + "/" + bad_columns_name(day), Disk::Open::create);
  } catch (...) {  // memory: they are tried again then
  }
}

Result<ColumnGroup*> DayColumns::group_of(std::size_t row) {
  const std::size_t number = row / group_rows;
  if (!group_ || group_number_ != number) {
    auto group = file_->group(number);
    if (!group) return std::move(group).error();
    group_ = std::move(*group);
    group_number_ = number;
  }
  return &*group_;
}

Result<Cdr> DayColumns::record(std::size_t row) {
  auto group = group_of(row);
  if (!group) return std::move(group).error();
  (*group)->read_ahead();
  auto cdr = read_record_of(ColumnRow(**group, row % group_rows));
  if ((*group)->has_failed())
    return Error{ErrorCode::corrupt, "columns of a day: a record was not readable"};
  return cdr;
}

Result<std::size_t> first_group_from(const ColumnFile& file, std::int64_t ended_at_us) {
  std::size_t low = 0;
  std::size_t high = file.groups();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    auto group = file.group(middle);
    if (!group) return std::move(group).error();
    const std::int64_t first = group->integer(column_of("ended_at_us"), 0);
    if (group->has_failed()) return Error{ErrorCode::corrupt, "columns of a day were not readable"};
    if (first >= ended_at_us) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace tandem::cdr
