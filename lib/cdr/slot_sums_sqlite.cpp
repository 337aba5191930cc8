#include "cdr/slot_sums_sqlite.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "base/text.hpp"
#include "cdr/archived_days.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "cdr/disk.hpp"
#include "cdr/slot_details_sqlite.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/cdr_slots.hpp"

namespace tandem::cdr {
namespace {

constexpr std::string_view file_name = "/slots.db";
constexpr std::int64_t always_us = std::numeric_limits<std::int64_t>::min();

struct Width {
  ReportSlot slot;
  std::int64_t kept_days;
};
constexpr std::array<Width, 3> widths = {
    {{ReportSlot::five_minutes, 7}, {ReportSlot::hour, 90}, {ReportSlot::day, 3 * 366}}};

constexpr store::Migration steps[] = {
    {1, R"sql(
      CREATE TABLE slot_place(
        one INTEGER PRIMARY KEY CHECK(one = 1),
        sequence INTEGER NOT NULL,      -- of the journal
        zone TEXT NOT NULL,
        complete_from_us INTEGER NOT NULL, -- calls that ended earlier may be missing
        judged_us INTEGER NOT NULL,     -- what is kept is counted back from
        newest_us INTEGER NOT NULL      -- end of the newest call of the latest batch with any
      );
      CREATE TABLE slot_sums(
        width INTEGER NOT NULL,         -- ReportSlot
        start_us INTEGER NOT NULL,
        is_vendor INTEGER NOT NULL,     -- 1: attempts at a vendor gateway
        gateway TEXT NOT NULL,
        rate_deck TEXT NOT NULL,
        rate_prefix TEXT NOT NULL,
        sums TEXT NOT NULL,
        PRIMARY KEY(width, start_us, is_vendor, gateway, rate_deck, rate_prefix)
      ) WITHOUT ROWID;
    )sql"},
    {2, slot_details_schema},
};

/// The oldest start that is kept.
std::int64_t kept_from_us(const Width& width, const TimeZone& zone, std::int64_t judged_us) {
  const std::int64_t kept_us = width.kept_days * day_us;
  if (judged_us < always_us + kept_us) return always_us;
  return ReportSlots(width.slot, zone).start_us(judged_us - kept_us);
}

void append_wide(std::string& out, WideSum sum) {
  out += sum < 0 ? "-" : "";
  std::string digits;
  do {
    const int digit = static_cast<int>(sum % 10);
    digits += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    sum /= 10;
  } while (sum != 0);
  out.append(digits.rbegin(), digits.rend()) += ' ';
}

/// Reads what append() functions wrote; after something else `is_good` is false.
class SumsText {
 public:
  explicit SumsText(std::string_view text) : rest_(text) {}
  WideSum wide() {
    const std::size_t end = rest_.find(' ');
    std::string_view word = rest_.substr(0, end);
    is_good = is_good && end != std::string_view::npos && !word.empty() && word.size() <= 40;
    if (!is_good) return 0;
    rest_.remove_prefix(end + 1);
    const bool is_negative = word.front() == '-';
    if (is_negative) word.remove_prefix(1);
    WideSum sum = 0;
    for (const char c : word) {
      is_good = is_good && c >= '0' && c <= '9' &&
                !__builtin_mul_overflow(sum, WideSum{10}, &sum) &&
                !__builtin_sub_overflow(sum, WideSum{c - '0'}, &sum);  // the lowest has no positive
    }
    return is_negative ? sum : -sum;
  }
  std::uint64_t count() { return static_cast<std::uint64_t>(wide()); }
  std::string_view bytes(std::size_t size) {
    is_good = is_good && size < rest_.size();
    if (!is_good) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return taken;
  }
  [[nodiscard]] bool is_over() const noexcept { return rest_.empty(); }
  bool is_good = true;

 private:
  std::string_view rest_;
};

std::string to_text(const SlotSums& sums) {
  const Metrics& m = sums.metrics;
  std::string text;
  for (const std::uint64_t count :
       {m.attempts, m.answered, m.responses, m.connected, m.effective, m.alerted})
    append_wide(text, WideSum{count});
  for (const WideSum sum : {m.pdd_ms, m.talk_time_ms, m.billed_time_s})
    append_wide(text, sum);
  const auto reasons = sums.reasons.sorted();
  append_wide(text, static_cast<WideSum>(reasons.size()));
  for (const auto& [reason, count] : reasons) {
    append_wide(text, static_cast<WideSum>(reason));
    append_wide(text, WideSum{count});
  }
  for (const auto& [currency, money] : m.money.all()) {
    append_wide(text, static_cast<WideSum>(currency.size()));
    (text += currency) += ' ';
    for (const WideSum sum : {money.fee, money.package_fee, money.vendor_fee})
      append_wide(text, sum);
  }
  return text;
}

Result<SlotSums> from_text(std::string_view text) {
  SlotSums sums;
  Metrics& m = sums.metrics;
  SumsText in(text);
  for (std::uint64_t* count :
       {&m.attempts, &m.answered, &m.responses, &m.connected, &m.effective, &m.alerted})
    *count = in.count();
  for (WideSum* sum : {&m.pdd_ms, &m.talk_time_ms, &m.billed_time_s})
    *sum = in.wide();
  for (std::uint64_t left = in.count(); left > 0 && in.is_good; --left) {
    const auto reason = static_cast<Reason>(in.wide());
    sums.reasons.add(reason, in.count());
  }
  while (in.is_good && !in.is_over()) {
    const std::string_view currency = in.bytes(static_cast<std::size_t>(in.count()));
    MoneySums& money = m.money.of(currency);
    for (WideSum* sum : {&money.fee, &money.package_fee, &money.vendor_fee})
      *sum = in.wide();
  }
  if (!in.is_good) return Error{ErrorCode::corrupt, "sums of a slot were not readable"};
  return sums;
}

CallFacts facts_of(const Cdr& cdr, const std::vector<LegFacts>& legs) {
  CallFacts call;
  call.record_id = static_cast<std::int64_t>(cdr.record_id);
  call.ended_at_us = cdr.ended_at_us;
  call.started_at_us = cdr.started_at_us;
  call.answered_at_us = cdr.answered_at_us;
  call.pdd_ms = cdr.pdd_ms;
  call.talk_time_ms = cdr.talk_time_ms;
  if (cdr.customer_gateway) call.customer_gateway = *cdr.customer_gateway;
  call.currency = cdr.customer.currency;
  call.rate_deck = cdr.customer.rate_deck;
  call.rate_prefix = cdr.customer.rate_prefix;
  call.billed_time_s = cdr.customer.billed_time_s;
  call.fee_units = cdr.customer.charge.units();
  call.package_fee_units = cdr.customer.package_charge.units();
  if (cdr.vendor) {
    call.vendor_currency = cdr.vendor->currency;
    call.vendor_fee_units = cdr.vendor->charge.units();
  }
  call.reason = cdr.end_reason;
  call.legs = legs;
  return call;
}

/// Of the table, but `sums`.
struct Key {
  ReportSlot width = ReportSlot::none;
  std::int64_t start_us = 0;
  bool is_vendor = false;
  std::string gateway, rate_deck, rate_prefix;
  auto operator<=>(const Key&) const = default;
};

void bind_key(store::Statement& statement, const Key& key) {
  statement.bind(1, static_cast<std::int64_t>(key.width)).bind(2, key.start_us);
  statement.bind(3, std::int64_t{key.is_vendor ? 1 : 0}).bind(4, key.gateway);
  statement.bind(5, key.rate_deck).bind(6, key.rate_prefix);
}

struct Place {
  std::uint64_t sequence = 0;
  std::string zone;
  std::int64_t complete_from_us = 0;
  std::int64_t judged_us = 0;
  std::int64_t newest_us = 0;
  std::int64_t details_from_us = 0;  // as complete_from_us, of load and failures
};

/// `is_new`: of this release's schema. An earlier one may be read, and has no details.
Result<std::optional<Place>> read_place(store::Connection& connection, bool is_new = true) {
  auto select = connection.prepare(
      std::string("SELECT sequence, zone, complete_from_us, judged_us, newest_us, ") +
      (is_new ? "details_from_us" : "9223372036854775807") + " FROM slot_place");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<Place>();
  return std::optional<Place>(Place{static_cast<std::uint64_t>(select->integer(0)),
                                    std::string(select->text(1)), select->integer(2),
                                    select->integer(3), select->integer(4), select->integer(5)});
}

/// Whether the sums have the calls of the period that the day files have. A sink may be stuck while
/// the other works. What two that work are apart is less than `apart_us`, and so is what the order
/// of the journal and that of the ends of calls are.
bool is_up_to(const SlotsGoal& goal, const Place& place, std::optional<std::int64_t> until_us) {
  constexpr std::int64_t apart_us = 60'000'000;
  if (place.sequence >= goal.sequence) return true;
  if (place.newest_us > goal.now_us) return false;  // of a clock that was put right since
  return place.newest_us > goal.now_us - apart_us ||
         (until_us && *until_us < place.newest_us && place.newest_us - *until_us > apart_us);
}

/// Up to when the sums must have the calls. What is in progress in a period is told by calls that
/// end behind it.
std::optional<std::int64_t> needed_until_us(const CallReportRequest& request,
                                            const ReportCollector& collector) {
  std::int64_t until_us = 0;
  if (!request.filter.until_us ||
      __builtin_add_overflow(*request.filter.until_us, collector.look_ahead_us(), &until_us))
    return std::nullopt;
  return until_us;
}

/// Whether the sums tell calls apart as the request does.
bool can_tell(const CallReportRequest& request) {
  CdrFilter rest = request.filter;
  bool is_of_legs = false;
  switch (request.kind) {
    case CallReportKind::customer_gateways:
    case CallReportKind::days:
    case CallReportKind::areas:
    case CallReportKind::area_totals:
      break;
    case CallReportKind::performance:  // load is of all calls
      if (!rest.customer_gateway.empty() || !rest.rate_prefix.empty()) return false;
      break;
    case CallReportKind::failures:
      if (!rest.rate_prefix.empty()) return false;
      is_of_legs = request.is_vendor;
      break;
    case CallReportKind::vendor_gateways:
      is_of_legs = true;
      break;
    case CallReportKind::gateway_areas:
      is_of_legs = request.is_vendor;
      break;
    default:
      return false;
  }
  (is_of_legs ? rest.vendor_gateway : rest.customer_gateway).clear();
  const bool has_texts = !rest.caller.empty() || !rest.callee.empty() || !rest.caller_in.empty() ||
                         !rest.caller_billing.empty() || !rest.caller_out.empty() ||
                         !rest.callee_in.empty() || !rest.callee_billing.empty() ||
                         !rest.callee_out.empty() || !rest.account.empty() ||
                         !rest.vendor_account.empty() || !rest.agent_account.empty() ||
                         !rest.customer_gateway.empty() || !rest.vendor_gateway.empty() ||
                         !rest.call_id.empty() || !rest.reason.empty();
  return rest.since_us && !has_texts && !rest.sip_status && !rest.release_side &&
         !rest.is_answered && !rest.is_free && !rest.talk_min_ms && !rest.talk_max_ms;
}

/// The widest slots that the period begins and ends with, that fit into those asked for, and that
/// are there from its beginning on.
std::optional<ReportSlot> width_for(const CallReportRequest& request, const TimeZone& zone,
                                    const Place& place) {
  const bool is_by_hour =
      request.kind == CallReportKind::days ||
      (request.kind == CallReportKind::performance && request.by == ReportSlot::none);
  const ReportSlot asked = is_by_hour ? ReportSlot::hour : request.by;
  std::optional<ReportSlot> found;
  for (const Width& width : widths) {
    const bool fits = asked == ReportSlot::none || width.slot <= asked;
    ReportSlots slots(width.slot, zone);
    const auto is_edge = [&](std::optional<std::int64_t> time_us) {
      return !time_us || slots.start_us(*time_us) == *time_us;
    };
    if (fits && is_edge(request.filter.since_us) && is_edge(request.filter.until_us) &&
        *request.filter.since_us >= kept_from_us(width, zone, place.judged_us))
      found = width.slot;
  }
  return found;
}

/// "slots.db" of a folder and what keeps others from it.
struct SlotFile {
  std::unique_ptr<DiskLock> lock;
  store::Connection connection;
};

Result<SlotFile> open_slots(const std::string& folder) {
  PosixDisk disk;
  if (auto made = disk.make_folder(folder); !made) return std::move(made).error();
  auto lock = disk.lock(folder + "/slots.lock");
  if (!lock) return std::move(lock).error();
  auto connection = store::Connection::open(folder + std::string(file_name));
  if (!connection) return std::move(connection).error();
  if (auto done = store::migrate(*connection, "slots", steps); !done)
    return std::move(done).error();
  return SlotFile{std::move(*lock), std::move(*connection)};
}

std::string known_zone(const std::string& name) {  // as readers call it
  return name.empty() ? "UTC" : name;
}

Result<void> write_place(store::Connection& connection, const Place& place) {
  auto insert = connection.prepare("INSERT OR REPLACE INTO slot_place VALUES(1, ?, ?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  insert->bind(1, static_cast<std::int64_t>(place.sequence)).bind(2, place.zone);
  insert->bind(3, place.complete_from_us).bind(4, place.judged_us).bind(5, place.newest_us);
  insert->bind(6, place.details_from_us);
  return insert->run();
}

/// Adds calls to the sums of all slots that are kept, in a transaction of the caller's.
/// `seconds_from_us`: seconds of load are forgotten that lie before the five minutes of that.
Result<void> add_calls(store::Connection& connection, const TimeZone& zone, std::int64_t judged_us,
                       std::int64_t seconds_from_us, std::int64_t now_us,
                       std::span<const Cdr> cdrs) {
  std::map<Key, SlotSums> sums;
  SlotDetails details(zone, kept_from_us(widths.back(), zone, judged_us), now_us + day_us);
  for (const Cdr& cdr : cdrs)
    details.add_load(facts_of(cdr, {}));
  for (const Width& width : widths) {
    ReportSlots slots(width.slot, zone);
    const std::int64_t kept_us = kept_from_us(width, zone, judged_us);
    for (const Cdr& cdr : cdrs) {
      const std::int64_t start_us = slots.start_us(cdr.ended_at_us);
      if (start_us < kept_us) continue;
      const auto legs = legs_of({&cdr.attempts, cdr.started_at_us, cdr.answered_at_us, cdr.pdd_ms});
      const CallFacts call = facts_of(cdr, legs);
      const auto count = [&](Key key, const Trial& trial, bool has_money) {
        SlotSums& of = sums[std::move(key)];
        of.metrics.count(trial, call, has_money);
        of.reasons.add(trial.reason, 1);
      };
      count({width.slot, start_us, false, std::string(call.customer_gateway),
             std::string(call.rate_deck), std::string(call.rate_prefix)},
            trial_of(call), true);
      details.add_failures(width.slot, start_us, call);
      for (const LegFacts& leg : legs) {
        count({width.slot, start_us, true, std::string(leg.gateway), "",
               std::string(call.rate_prefix)},
              trial_of(leg), leg.is_answered);
      }
    }
    auto forget = connection.prepare("DELETE FROM slot_sums WHERE width = ? AND start_us < ?");
    if (!forget) return std::move(forget).error();
    forget->bind(1, static_cast<std::int64_t>(width.slot)).bind(2, kept_us);
    if (auto done = forget->run(); !done) return done;
  }

  if (auto done = details.write(connection); !done) return done;
  for (const Width& width : widths) {
    const bool has_seconds = width.slot == ReportSlot::five_minutes;
    const std::int64_t from_us = has_seconds ? std::min(judged_us, seconds_from_us) : judged_us;
    auto done = forget_details(connection, width.slot, kept_from_us(width, zone, from_us));
    if (!done) return done;
  }

  auto select = connection.prepare(
      "SELECT sums FROM slot_sums WHERE width = ? AND start_us = ? AND is_vendor = ? AND gateway = "
      "? AND rate_deck = ? AND rate_prefix = ?");
  if (!select) return std::move(select).error();
  auto insert = connection.prepare("INSERT OR REPLACE INTO slot_sums VALUES(?,?,?,?,?,?,?)");
  if (!insert) return std::move(insert).error();
  for (auto& [key, added] : sums) {
    bind_key(*select, key);
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (*row) {
      auto before = from_text(select->text(0));
      if (!before) return std::move(before).error();
      added.add(*before);
    }
    select->reset();
    bind_key(*insert, key);
    insert->bind(7, to_text(added));
    if (auto done = insert->run(); !done) return done;
  }
  return {};
}

}  // namespace

SlotSink::SlotSink(store::Connection connection, TimeZone zone, std::int64_t judged_us,
                   const Clock& clock)
    : connection_(std::move(connection)),
      zone_(std::move(zone)),
      kept_by_(judged_us, clock.monotonic_us()),
      clock_(clock) {}

Result<std::unique_ptr<SlotSink>> SlotSink::open(const std::string& folder,
                                                 const std::string& zone_name, const Clock& clock) {
  const std::string zone = known_zone(zone_name);
  auto loaded = TimeZone::load(zone);
  if (!loaded) return std::move(loaded).error();
  auto file = open_slots(folder);
  if (!file) return std::move(file).error();
  auto place = read_place(file->connection);
  if (!place) return std::move(place).error();
  const std::int64_t now_us = clock.wall_us();
  const std::int64_t judged_us = *place ? (*place)->judged_us : now_us;
  if (!*place) {
    // What ended before is in no record that will come, unless the journal is new as well.
    if (auto done = write_place(file->connection, {0, zone, now_us, now_us, always_us, now_us});
        !done)
      return std::move(done).error();
  } else if ((*place)->zone != zone) {
    return Error{
        ErrorCode::invalid_argument,
        "\"" + folder + std::string(file_name) + "\" has sums of days in \"" + (*place)->zone +
            "\" and not in \"" + zone +
            "\": set the zone back, or have the sums made anew of the records that are there "
            "(tandem-switch maintenance rebuild_slots)"};
  }
  std::unique_ptr<SlotSink> sink(
      new SlotSink(std::move(file->connection), std::move(*loaded), judged_us, clock));
  sink->lock_ = std::move(file->lock);
  return sink;
}

Result<std::uint64_t> SlotSink::rebuild(const std::string& days, const std::string& folder,
                                        const std::string& zone_name, const Clock& clock) {
  Place place;
  place.zone = known_zone(zone_name);
  auto zone = TimeZone::load(place.zone);
  if (!zone) return std::move(zone).error();
  auto file = open_slots(folder);
  if (!file) return std::move(file).error();
  store::Connection& connection = file->connection;
  auto before = read_place(connection);
  if (!before) return std::move(before).error();
  const std::int64_t now_us = clock.wall_us();
  place.judged_us = *before ? (*before)->judged_us : now_us;
  place.newest_us = always_us;
  // Records behind this one come by the journal.
  auto stored = stored_position(days);
  if (!stored) return std::move(stored).error();
  place.sequence = *stored;
  // Days before the first that is there may have had calls, and archived ones have.
  auto online = days_in(days);
  if (!online) return std::move(online).error();
  place.complete_from_us = online->empty() ? now_us : online->back() * day_us;
  auto archives = archives_in(days);
  if (!archives) return std::move(archives).error();
  for (const std::int64_t day : *archives) {
    auto rows = open_whole_day(days, day);
    if (!rows) return std::move(rows).error();
    if (!*rows) place.complete_from_us = std::max(place.complete_from_us, (day + 1) * day_us);
  }
  place.details_from_us = place.complete_from_us;

  auto transaction = store::Transaction::begin(connection);
  if (!transaction) return std::move(transaction).error();
  if (auto done = connection.execute("DELETE FROM slot_sums"); !done)
    return std::move(done).error();
  if (auto done = clear_details(connection, *before && (*before)->zone == place.zone); !done)
    return std::move(done).error();
  CdrFilter all;
  all.skips_archived = true;
  auto cursor = CdrStore(days, CdrGuards{0, 0, 0}).cursor(all);
  if (!cursor) return std::move(cursor).error();
  constexpr std::size_t at_once = 10'000;
  std::vector<Cdr> cdrs;
  std::uint64_t count = 0;
  for (bool is_over = false; !is_over;) {
    auto next = cursor->next();
    if (!next) return std::move(next).error();
    is_over = !*next;
    if (*next && (*next)->record_id <= place.sequence) {
      place.newest_us = std::max(place.newest_us, std::min((*next)->ended_at_us, now_us));
      cdrs.push_back(std::move(**next));
      ++count;
    }
    if (!is_over && cdrs.size() < at_once) continue;
    // Hours are the highest of all seconds of theirs, which therefore stay until the end.
    if (auto done = add_calls(connection, *zone, place.judged_us,
                              is_over ? place.judged_us : always_us, now_us, cdrs);
        !done)
      return std::move(done).error();
    cdrs.clear();
  }
  if (auto done = write_place(connection, place); !done) return std::move(done).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return count;
}

Result<std::uint64_t> SlotSink::position() {
  auto place = read_place(connection_);
  if (!place) return std::move(place).error();
  if (!*place)
    return Error{ErrorCode::corrupt, "the place of the slots in the journal was missing"};
  return (*place)->sequence;
}

Result<void> SlotSink::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  auto done = add(records, through);
  // Whatever is wrong with the file is no fault of a record, which would be left out for it.
  if (!done) return Error{ErrorCode::io, std::move(done).error().message};
  return done;
}

void SlotSink::note_queue(std::uint64_t records) { waiting_records_ = records; }

Result<void> SlotSink::add(std::span<const RecordView> records, std::uint64_t through) {
  auto transaction = store::Transaction::begin(connection_);
  if (!transaction) return std::move(transaction).error();
  auto found = read_place(connection_);
  if (!found) return std::move(found).error();
  if (!*found)
    return Error{ErrorCode::corrupt, "the place of the slots in the journal was missing"};
  Place place = **found;
  if (through <= place.sequence) return {};
  if (place.sequence == 0 && !records.empty() && records.front().sequence == 1)
    place.complete_from_us = place.details_from_us = always_us;

  const std::int64_t now_us = clock_.wall_us();
  (void)kept_by_.advance(now_us, clock_.monotonic_us());
  // Never back: what went by a clock that was ahead is gone.
  place.judged_us = kept_by_.known_us();
  std::vector<Cdr> cdrs;
  std::optional<std::int64_t> newest_us;
  for (const RecordView& view : records) {
    if (view.type != RecordType::end || view.sequence <= place.sequence) continue;
    auto record = decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    const std::int64_t ended_us = std::min(record->cdr.ended_at_us, now_us);
    newest_us = std::max(newest_us.value_or(ended_us), ended_us);
    cdrs.push_back(std::move(record->cdr));
  }
  // A clock that was behind when the sums began is put right by the first calls that come.
  if (newest_us && place.newest_us == always_us && place.complete_from_us != always_us)
    place.complete_from_us = place.details_from_us = std::max(place.complete_from_us, *newest_us);
  place.newest_us = newest_us.value_or(place.newest_us);
  // A sink that catches up needs the seconds of the time that it is at.
  if (auto done = add_calls(connection_, zone_, place.judged_us, place.newest_us, now_us, cdrs);
      !done)
    return done;
  if (waiting_records_ > 0) {
    if (auto done = write_queue(connection_, zone_, now_us, waiting_records_); !done) return done;
  }
  place.sequence = through;
  if (auto done = write_place(connection_, place); !done) return done;
  return transaction->commit();
}

Result<bool> collect_slots(const std::string& folder, const CallReportRequest& request,
                           const TimeZone& zone, const SlotsGoal& goal, const TimeBox& box,
                           ReportCollector& collector) {
  if (folder.empty() || !can_tell(request)) return false;
  auto connection =
      store::Connection::open(folder + std::string(file_name), store::OpenMode::read_only);
  if (!connection) {
    if (connection.error().code == ErrorCode::not_found) return false;
    return std::move(connection).error();
  }
  connection->watch(*box.watch());
  // One view of all, whatever is written meanwhile.
  if (auto begun = connection->execute("BEGIN"); !begun) return std::move(begun).error();
  const bool has_details = connection->prepare("SELECT 1 FROM slot_load").ok();
  auto place = read_place(*connection, has_details);
  if (!place) return std::move(place).error();
  const bool needs_details =
      request.kind == CallReportKind::performance || request.kind == CallReportKind::failures;
  const std::string zone_name = request.timezone.empty() ? "UTC" : request.timezone;
  if (!*place || (*place)->zone != zone_name ||
      *request.filter.since_us <
          (needs_details ? (*place)->details_from_us : (*place)->complete_from_us) ||
      !is_up_to(goal, **place, needed_until_us(request, collector)))
    return false;
  const auto width = width_for(request, zone, **place);
  if (!width) return false;
  const std::int64_t since_us = *request.filter.since_us;
  const std::int64_t until_us =
      request.filter.until_us.value_or(std::numeric_limits<std::int64_t>::max());
  const auto of_time = [&box](Error error) {
    return error.code == ErrorCode::timeout ? box.failure(0) : std::move(error);
  };
  if (request.kind == CallReportKind::failures) {
    auto done = collect_failures(
        *connection, *width, since_us, until_us, request.is_vendor,
        request.is_vendor ? request.filter.vendor_gateway : request.filter.customer_gateway,
        collector);
    if (!done) return of_time(std::move(done).error());
    return true;
  }
  if (request.kind == CallReportKind::performance) {
    auto done = collect_load(*connection, *width, since_us, until_us, collector);
    if (!done) return of_time(std::move(done).error());
  }
  auto rows = connection->prepare(
      "SELECT start_us, gateway, rate_deck, rate_prefix, sums FROM slot_sums WHERE width = ? AND "
      "start_us >= ? AND start_us < ? AND is_vendor = ?");
  if (!rows) return std::move(rows).error();
  rows->bind(1, static_cast<std::int64_t>(*width)).bind(2, since_us).bind(3, until_us);
  rows->bind(4, std::int64_t{collector.judges_vendor_gateway() ? 1 : 0});
  const std::string& gateway = collector.judges_vendor_gateway() ? request.filter.vendor_gateway
                                                                 : request.filter.customer_gateway;
  for (;;) {
    auto row = rows->step();
    if (!row) return of_time(std::move(row).error());
    if (!*row) return true;
    if (!gateway.empty() && rows->text(1) != gateway) continue;
    if (!request.filter.rate_prefix.empty() && rows->text(3) != request.filter.rate_prefix)
      continue;
    auto sums = from_text(rows->text(4));
    if (!sums) return std::move(sums).error();
    auto added =
        collector.add_slot({rows->integer(0), rows->text(1), rows->text(2), rows->text(3), &*sums});
    if (!added) return std::move(added).error();
  }
}

}  // namespace tandem::cdr

namespace tandem {

Result<std::unique_ptr<CdrSink>> make_cdr_slots_sink(std::string folder, std::string zone,
                                                     const Clock* clock) {
  static const SystemClock system_clock;
  auto sink = cdr::SlotSink::open(folder, zone, clock != nullptr ? *clock : system_clock);
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

Result<std::uint64_t> rebuild_cdr_slots(const CdrPlace& place, const std::string& zone,
                                        const Clock* clock) {
  if (place.slots.empty())
    return Error{ErrorCode::invalid_argument, "place of the records had no folder of slots"};
  const SystemClock system_clock;
  return cdr::SlotSink::rebuild(place.folder, place.slots, zone,
                                clock != nullptr ? *clock : system_clock);
}

}  // namespace tandem
