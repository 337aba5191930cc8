// The columns of a sealed day beside its file: which there are, and whether they may be used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdr/column_file.hpp"
#include "cdr/day_lock.hpp"
#include "tandem/cdr.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// A column of the table of records that is kept by columns too. Those that say in decimals what
/// others have in units are not.
struct RecordColumn {
  std::string_view name;
  ColumnKind kind = ColumnKind::integer;
  std::string_view usual;  // name of the column that it mostly repeats; "": none
};
inline constexpr ColumnKind number_column = ColumnKind::integer;
inline constexpr ColumnKind text_column = ColumnKind::text;
// In the order of the table, whose other columns are left out.
inline constexpr RecordColumn record_columns[] = {{"record_id", number_column, ""},
                                                  {"call_id", text_column, ""},
                                                  {"customer_gateway", text_column, ""},
                                                  {"vendor_gateway", text_column, ""},
                                                  {"account", text_column, ""},
                                                  {"caller_in", text_column, "caller"},
                                                  {"caller", text_column, ""},
                                                  {"caller_out", text_column, "caller"},
                                                  {"callee_in", text_column, "callee"},
                                                  {"callee", text_column, ""},
                                                  {"callee_out", text_column, "callee"},
                                                  {"started_at_us", number_column, ""},
                                                  {"answered_at_us", number_column, ""},
                                                  {"ended_at_us", number_column, ""},
                                                  {"pdd_ms", number_column, ""},
                                                  {"talk_time_ms", number_column, ""},
                                                  {"billed_time_s", number_column, ""},
                                                  {"charge_units", number_column, ""},
                                                  {"rate_prefix", text_column, ""},
                                                  {"currency", text_column, ""},
                                                  {"vendor_account", text_column, ""},
                                                  {"vendor_billed_time_s", number_column, ""},
                                                  {"vendor_charge_units", number_column, ""},
                                                  {"vendor_rate_prefix", text_column, ""},
                                                  {"vendor_currency", text_column, ""},
                                                  {"end_reason", text_column, ""},
                                                  {"end_code", number_column, ""},
                                                  {"sip_status", number_column, ""},
                                                  {"q850_cause", number_column, ""},
                                                  {"release_side", text_column, ""},
                                                  {"attempts", text_column, ""},
                                                  {"media", text_column, ""},
                                                  {"caller_ip", text_column, ""},
                                                  {"callee_ip", text_column, ""},
                                                  {"caller_product", text_column, ""},
                                                  {"callee_product", text_column, ""},
                                                  {"lrn", text_column, ""},
                                                  {"callee_region", text_column, ""},
                                                  {"caller_region", text_column, ""},
                                                  {"rate_deck", text_column, ""},
                                                  {"rate_terms", text_column, ""},
                                                  {"vendor_rate_deck", text_column, ""},
                                                  {"vendor_rate_terms", text_column, ""},
                                                  {"agent_account", text_column, ""},
                                                  {"agent_billed_time_s", number_column, ""},
                                                  {"agent_charge_units", number_column, ""},
                                                  {"agent_rate_prefix", text_column, ""},
                                                  {"agent_rate_deck", text_column, ""},
                                                  {"agent_rate_terms", text_column, ""},
                                                  {"package_charge_units", number_column, ""},
                                                  {"package_time_s", number_column, ""},
                                                  {"legs", text_column, ""},
                                                  {"choices", text_column, ""},
                                                  {"agent_package_charge_units", number_column, ""},
                                                  {"agent_package_time_s", number_column, ""},
                                                  {"call_level", text_column, ""}};
inline constexpr std::size_t record_column_count = std::size(record_columns);

/// Place of a column among them. REQUIRES: it is one of them.
consteval std::size_t column_of(std::string_view name) {
  std::size_t at = 0;
  while (record_columns[at].name != name)
    ++at;
  return at;
}

/// As a file has them.
const std::vector<ColumnSpec>& record_column_specs();

/// What the closed day file at `path` looks like now. Nothing: it is not there, or it has a log
/// that was not emptied, in which there may be records. The file is not opened. Errors: io.
Result<std::optional<DayFileState>> day_file_state(const std::string& path);

/// A record of a group, read as a row of the table.
class ColumnRow {
 public:
  ColumnRow(ColumnGroup& group, std::size_t row) : group_(&group), row_(row) {}
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  ColumnGroup* group_;
  std::size_t row_;
};

/// The columns of a day that are read. Maintenance leaves them and the day file where they are
/// while the object lives. Threading: one thread at a time.
class DayColumns {
 public:
  /// Nothing: there are none, or they are not of the file that is there now, or not readable. They
  /// only say faster what the day file says, so that is no error.
  static std::optional<DayColumns> open(const std::string& folder, std::int64_t day);
  /// Says beside them that they could not be read, so that nobody tries again before the next run
  /// of maintenance, which writes them anew. Whoever may not write there says nothing. REQUIRES:
  /// they are open, so that no new ones come meanwhile.
  static void give_up(const std::string& folder, std::int64_t day) noexcept;
  /// The same for whoever holds the lock of the day. Errors: not_found, corrupt, unsupported,
  /// wrong_state (they were made of another day file or by another release), io.
  static Result<DayColumns> open_locked(const std::string& folder, std::int64_t day);

  [[nodiscard]] const ColumnFile& file() const noexcept { return *file_; }
  [[nodiscard]] std::size_t rows() const noexcept {
    return static_cast<std::size_t>(file_->facts().records);
  }
  /// The group that holds a row; the one that was asked for last is kept. Errors: corrupt, io.
  Result<ColumnGroup*> group_of(std::size_t row);
  /// Errors: corrupt, io.
  Result<Cdr> record(std::size_t row);

 private:
  explicit DayColumns(std::unique_ptr<ColumnFile> file) : file_(std::move(file)) {}
  DayLock lock_;
  std::unique_ptr<ColumnFile> file_;
  std::optional<ColumnGroup> group_;
  std::size_t group_number_ = 0;
};

/// The first group whose first call ended then or later, in a file of record_columns: groups stand
/// in the order of the calls' ends. Errors: corrupt, io.
Result<std::size_t> first_group_from(const ColumnFile& file, std::int64_t ended_at_us);

}  // namespace tandem::cdr
