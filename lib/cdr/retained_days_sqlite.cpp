#include "cdr/retained_days.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "cdr/day_files.hpp"
#include "cdr/disputes_sqlite.hpp"
#include "cdr/records.hpp"
#include "cdr/segment.hpp"
#include "cdr/segment_files.hpp"
#include "store/sqlite.hpp"

namespace tandem::cdr {
namespace {

constexpr std::int64_t retired_days_max = 10'000;
constexpr std::string_view set_aside_extension = ".set-aside";

/// Place of the ledger in a main database that another process may own; nothing: there is none.
Result<std::optional<std::uint64_t>> ledger_place(const std::string& database) {
  using Place = std::optional<std::uint64_t>;
  if (database.empty()) return Place();
  auto connection = store::Connection::open(database, store::OpenMode::read_only);
  if (!connection && connection.error().code == ErrorCode::not_found) return Place();
  if (!connection) return std::move(connection).error();
  // What cannot be read is an error, and no database without a ledger.
  auto table = connection->prepare("SELECT 1 FROM sqlite_master WHERE name = 'ledger_position'");
  if (!table) return std::move(table).error();
  auto is_there = table->step();
  if (!is_there) return std::move(is_there).error();
  if (!*is_there) return Place();
  auto select = connection->prepare("SELECT sequence FROM ledger_position");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  return *row ? Place(static_cast<std::uint64_t>(select->integer(0))) : Place();
}

/// End of the call of a line that SetAside wrote; nothing: it is no such line. The key cannot be
/// part of a text, where its quotes have backslashes, and the record's stands before its attempts'.
std::optional<std::int64_t> end_in(std::string_view line) {
  constexpr std::string_view key = "\"ended_at_us\":";
  const std::size_t found = line.find(key);
  if (found == std::string_view::npos) return std::nullopt;
  line.remove_prefix(found + key.size());
  return parse_integer<std::int64_t>(line.substr(0, line.find_first_of(",}")));
}

std::string of_records(std::uint64_t count, std::uint64_t first) {
  return "record " + std::to_string(first) +
         (count > 1 ? " of it, and " + std::to_string(count - 1) + " more," : " of it");
}

class KeptDays final : public DayGuard {
 public:
  KeptDays(RetentionPlace place, const Clock& clock, std::shared_ptr<Disk> disk)
      : place_(std::move(place)), clock_(clock), disk_(std::move(disk)) {}

  Result<std::string> why_kept(std::int64_t day) override {
    auto connection = read_disputes(place_.database);
    if (!connection) return std::move(connection).error();
    if (*connection) {
      auto reason = disputed(**connection, day);
      if (!reason || !reason->empty()) return reason;
    }
    auto reason = set_aside(day);
    if (!reason || !reason->empty()) return reason;
    return waiting(day);
  }

  Result<bool> remove_day(std::int64_t day, std::string& reason,
                          const std::function<Result<void>()>& remove) override {
    auto why = why_kept(day);
    if (!why) return std::move(why).error();
    reason = std::move(*why);
    if (!reason.empty()) return false;
    bool has_database = !place_.database.empty();
    if (has_database) {
      const auto there = store::Connection::open(place_.database, store::OpenMode::read_only);
      if (!there && there.error().code != ErrorCode::not_found) return there.error();
      has_database = there.ok();
    }
    if (!has_database) {  // nobody has disputed a record
      if (auto done = remove(); !done) return std::move(done).error();
      return true;
    }
    // Its tables are made when absent: the first dispute of all must find it locked, too.
    auto connection = open_disputes(place_.database);
    if (!connection) return std::move(connection).error();
    auto transaction = store::Transaction::begin(*connection);
    if (!transaction) return std::move(transaction).error();
    auto disputed_since = disputed(*connection, day);
    if (!disputed_since) return std::move(disputed_since).error();
    reason = std::move(*disputed_since);
    if (!reason.empty()) return false;
    if (auto done = remove(); !done) return std::move(done).error();
    return true;  // what there was to write is nothing
  }

  Result<void> note_retired(std::int64_t day, const std::string& sink) override {
    if (place_.database.empty()) return {};
    auto connection = open_disputes(place_.database);
    if (!connection) return std::move(connection).error();
    auto insert = connection->prepare("INSERT INTO retired_days(at_us, day, sink) VALUES(?, ?, ?)");
    if (!insert) return std::move(insert).error();
    if (auto done = insert->bind(1, clock_.wall_us()).bind(2, day).bind(3, sink).run(); !done)
      return done;
    auto forget = connection->prepare(
        "DELETE FROM retired_days WHERE id <= (SELECT max(id) FROM retired_days) - ?");
    if (!forget) return std::move(forget).error();
    return forget->bind(1, retired_days_max).run();
  }

  Result<void> forget_retired(std::int64_t day, const std::string& sink) override {
    if (place_.database.empty()) return {};
    auto connection = open_disputes(place_.database);
    if (!connection) return std::move(connection).error();
    auto forget = connection->prepare(
        "DELETE FROM retired_days WHERE id = (SELECT max(id) FROM retired_days WHERE day = ? AND "
        "sink = ?)");
    if (!forget) return std::move(forget).error();
    return forget->bind(1, day).bind(2, sink).run();
  }

 private:
  static Result<std::string> disputed(store::Connection& connection, std::int64_t day) {
    auto open = open_disputes_of(connection, day);
    if (!open) return std::move(open).error();
    if (open->count == 0) return std::string();
    return of_records(open->count, open->first_record) +
           (open->count > 1 ? " are disputed" : " is disputed");
  }

  /// Records that a sink could not take, until somebody takes them out of the file.
  Result<std::string> set_aside(std::int64_t day) {
    if (place_.journal.empty()) return std::string();
    auto names = disk_->list(place_.journal);
    if (!names && names.error().code == ErrorCode::not_found) return std::string();
    if (!names) return std::move(names).error();
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      if (!name.ends_with(set_aside_extension)) continue;
      const auto content = read_file(*disk_, place_.journal + "/" + name);
      if (!content && content.error().code == ErrorCode::not_found) continue;  // moved away
      if (!content) return content.error();
      std::string_view rest = *content;
      for (std::size_t end = 0; !rest.empty(); rest.remove_prefix(end)) {
        const std::size_t line_end = rest.find('\n');
        end = line_end == std::string_view::npos ? rest.size() : line_end + 1;
        const auto ended_at_us = end_in(rest.substr(0, end));
        if (ended_at_us && day_of(*ended_at_us) == day)
          return "a record of it was set aside in \"" + name + "\"";
      }
    }
    return std::string();
  }

  /// Records of the day, or of one before it, that the ledger or a sink does not have yet.
  Result<std::string> waiting(std::int64_t day) {
    if (place_.journal.empty()) return std::string();
    std::optional<std::uint64_t> lowest;
    if (place_.lowest_position) {
      lowest = place_.lowest_position();
    } else {
      auto ledger = ledger_place(place_.database);
      if (!ledger) return std::move(ledger).error();
      lowest = *ledger;
      for (const std::string& path : place_.positions) {
        const auto content = read_file(*disk_, path);
        if (!content && content.error().code == ErrorCode::not_found) continue;
        if (!content) return content.error();
        const std::string_view text = *content;  // more may stand behind the place
        const auto place =
            parse_integer<std::uint64_t>(text.substr(0, text.find_first_not_of("0123456789")));
        if (!place) return Error{ErrorCode::corrupt, "\"" + path + "\" did not hold a number"};
        lowest = std::min(lowest.value_or(*place), *place);
      }
    }
    if (!lowest) return std::string();
    auto earliest = earliest_day_behind(*disk_, place_.journal, *lowest);
    if (!earliest) return std::move(earliest).error();
    if (!*earliest || day < **earliest) return std::string();
    return "records from " + format_date(**earliest * day_us) +
           " on wait in the journal to be charged or written";
  }

  const RetentionPlace place_;
  const Clock& clock_;
  const std::shared_ptr<Disk> disk_;
};

}  // namespace

DayGuard::~DayGuard() = default;

std::unique_ptr<DayGuard> make_day_guard(RetentionPlace place, const Clock& clock,
                                         std::shared_ptr<Disk> disk) {
  if (disk == nullptr) disk = std::make_shared<PosixDisk>();
  return std::make_unique<KeptDays>(std::move(place), clock, std::move(disk));
}

Result<std::optional<std::int64_t>> earliest_day_behind(Disk& disk, const std::string& folder,
                                                        std::uint64_t sequence) {
  std::optional<std::int64_t> earliest;
  auto names = disk.list(folder);
  if (!names && names.error().code == ErrorCode::not_found) return earliest;
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    const auto serial = serial_of(name, segment_stem);
    if (!serial) continue;
    const auto content = read_file(disk, folder + "/" + name);
    if (!content && content.error().code == ErrorCode::not_found) continue;  // recycled: all had it
    if (!content) return content.error();
    const std::string_view bytes = *content;
    if (bytes.size() < segment_header_bytes) continue;  // being made
    const auto header = decode_header(bytes.substr(0, segment_header_bytes));
    if (!header || header->serial != *serial) continue;  // being made, or check_journal() tells
    for (std::uint64_t at = segment_header_bytes; at < bytes.size();) {
      const ScannedRecord record = scan_record(bytes.substr(static_cast<std::size_t>(at)), *serial);
      if (record.bytes == 0) break;
      at += record.bytes;
      if (record.type != RecordType::end || record.sequence <= sequence) continue;
      const auto end = decode_end(record.payload, record.sequence);
      if (!end) return end.error();
      const std::int64_t day = day_of(end->cdr.ended_at_us);
      earliest = std::min(earliest.value_or(day), day);
    }
  }
  return earliest;
}

Result<std::vector<RetiredDay>> retired_days(const std::string& database, std::size_t limit) {
  std::vector<RetiredDay> days;
  auto connection = read_disputes(database);
  if (!connection) return std::move(connection).error();
  if (!*connection) return days;
  auto select =
      (*connection)->prepare("SELECT at_us, day, sink FROM retired_days ORDER BY id DESC LIMIT ?");
  if (!select) return std::move(select).error();
  select->bind(1, static_cast<std::int64_t>(limit));
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return days;
    days.push_back({select->integer(0), select->integer(1), std::string(select->text(2))});
  }
}

}  // namespace tandem::cdr
