#include "remote/sql_sink.hpp"

#include <algorithm>
#include <utility>

#include "cdr/day_files.hpp"
#include "cdr/records.hpp"
#include "remote/sql_columns.hpp"

namespace tandem::remote {
namespace {

bool is_of_record(ErrorCode code) noexcept {
  return code == ErrorCode::invalid_argument || code == ErrorCode::already_exists;
}

bool is_word(std::string_view text, std::string_view marks, bool has_capitals) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (has_capitals && c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
  });
}

/// The folder's name for itself: who a source in the database belongs to.
Result<std::string> identity_of(cdr::Disk& disk, const std::string& folder) {
  const std::string path = folder + "/identity";
  auto kept = cdr::read_replaced_file(disk, path);
  if (kept) {
    if (kept->size() != 32 || !is_word(*kept, "", false))
      return Error{ErrorCode::corrupt, "\"" + path + "\" did not hold an identity"};
    return kept;
  }
  if (kept.error().code != ErrorCode::not_found) return kept;
  constexpr char hex[] = "0123456789abcdef";
  SecureRandom random;
  std::string identity;
  while (identity.size() < 32)
    identity += hex[random.below(16)];
  if (auto done = cdr::replace_file(disk, path, identity); !done) return std::move(done).error();
  return identity;
}

}  // namespace

PartitionPlan plan_partitions(const std::set<std::int64_t>& existing, std::int64_t today,
                              std::int64_t server_today, std::int32_t ahead_days,
                              std::int32_t retention_days) {
  PartitionPlan plan;
  if (ahead_days > 0) {
    const std::int64_t first = std::min(today, server_today + 1);
    for (std::int64_t day = first; day <= first + ahead_days; ++day) {
      if (!existing.contains(day)) plan.add.push_back(day);
    }
  }
  if (retention_days > 0) {
    plan.kept_from = std::min(today, server_today) - retention_days;
    for (const std::int64_t day : existing) {
      if (day < plan.kept_from) plan.drop.push_back(day);
    }
  }
  return plan;
}

Result<void> check_cdr_sql(const CdrSqlConfig& config) {
  const auto bad = [](const char* member, std::string_view value, const char* range) {
    return Error{ErrorCode::invalid_argument,
                 std::string(member) + " \"" + std::string(value) + "\" was not " + range};
  };
  // libpq would go by the environment of the process then.
  if (config.connection.empty())
    return Error{ErrorCode::invalid_argument, "connection \"\" named no server"};
  if (config.connection.size() > 4'096 ||
      config.connection.find('\0') != std::string::npos)  // it may hold a password
    return Error{ErrorCode::invalid_argument, "connection was longer than 4096 bytes"};
  const char first = config.table.empty() ? '0' : config.table.front();
  if (first < 'a' || first > 'z' || config.table.size() > 40 || !is_word(config.table, "_", false))
    return bad("table", config.table, "1..40 of a-z 0-9 _ that begin with a letter");
  if (config.source.empty() || config.source.size() > 64 || !is_word(config.source, "._-", true))
    return bad("source", config.source, "1..64 of A-Z a-z 0-9 . _ -");
  if (config.retention_days < 0 || config.retention_days > 36'500)
    return bad("retention_days", std::to_string(config.retention_days), "in 0..36500");
  if (config.ahead_days < 0 || config.ahead_days > 60)
    return bad("ahead_days", std::to_string(config.ahead_days), "in 0..60");
  if (config.batch_records < 1 || config.batch_records > 100'000)
    return bad("batch_records", std::to_string(config.batch_records), "in 1..100000");
  if (config.timeout_ms < 2'000 || config.timeout_ms > 600'000)
    return bad("timeout_ms", std::to_string(config.timeout_ms), "in 2000..600000");
  return {};
}

SqlSink::SqlSink(CdrSqlConfig config, const Clock& clock, SqlConnector connect,
                 SqlRetention retention, KeptPlace place, std::string identity)
    : config_(std::move(config)),
      clock_(clock),
      connect_(std::move(connect)),
      retention_(std::move(retention)),
      kept_(std::move(place)),
      identity_(std::move(identity)),
      taken_(kept_.sequence()) {}

Result<std::unique_ptr<SqlSink>> SqlSink::open(CdrSqlConfig config, std::shared_ptr<cdr::Disk> disk,
                                               const Clock& clock, SqlConnector connect,
                                               SqlRetention retention) {
  if (auto checked = check_cdr_sql(config); !checked) return std::move(checked).error();
  auto place = KeptPlace::open(disk, config.folder);
  if (!place) return std::move(place).error();
  auto identity = identity_of(*disk, config.folder);
  if (!identity) return std::move(identity).error();
  return std::unique_ptr<SqlSink>(new SqlSink(std::move(config), clock, std::move(connect),
                                              std::move(retention), std::move(*place),
                                              std::move(*identity)));
}

/// Large transactions: what a commit costs is the same for one row and for ten thousand.
void SqlSink::set_pace(cdr::SinkRunnerOptions& options) const {
  options.batch_records = static_cast<std::size_t>(config_.batch_records);
  options.retry_min_ms = 500;
  options.retry_max_ms = 30'000;
}

Result<void> SqlSink::seen(Result<void> outcome) {
  if (!outcome && !is_of_record(outcome.error().code)) session_.reset();
  return outcome;
}

Result<void> SqlSink::connect(std::int32_t timeout_ms) {
  if (session_ != nullptr) return {};
  auto session = connect_(timeout_ms);
  if (!session) return std::move(session).error();
  if (auto made = (*session)->make_tables(); !made) {
    // What is wrong with a table is no fault of a record.
    return Error{is_of_record(made.error().code) ? ErrorCode::io : made.error().code,
                 std::move(made).error().message};
  }
  session_ = std::move(*session);
  return {};
}

/// Begins a transaction, and knows then what the database holds.
Result<SqlPlace> SqlSink::begin() {
  auto place = session_->begin();
  if (!place)
    return Error{is_of_record(place.error().code) ? ErrorCode::io : place.error().code,
                 std::move(place).error().message};
  // Numbers of another switch would be taken for our own, and our records for written.
  if (!place->owner.empty() && place->owner != identity_)
    return Error{ErrorCode::wrong_state, "source \"" + config_.source +
                                             "\" belonged to another switch (owner " +
                                             place->owner + ", here " + identity_ + ")"};
  return place;
}

Result<std::uint64_t> SqlSink::position() {
  auto position = ask_position();
  session_.reset();  // the sink's own has other deadlines, and is made on its thread
  return position;
}

Result<std::uint64_t> SqlSink::ask_position() {
  // When the server is away: a place that lags behind costs nothing, since the one in the database
  // is looked at before anything is written.
  if (!connect(std::min(start_timeout_ms, config_.timeout_ms))) return taken_;
  auto place = begin();
  if (!place) {
    if (place.error().code != ErrorCode::wrong_state) return taken_;
    return Error{ErrorCode::already_exists, std::move(place).error().message};
  }
  // Tables that were made anew know nothing. To begin with whatever the journal still has would
  // leave a gap that nobody is told of; write_batch() tells.
  if (place->sequence == 0 && taken_ > 0) return taken_;
  place->owner = identity_;
  if (!session_->commit(*place)) return taken_;
  // The journal will give up what lies before this place, so that the next start must find it
  // without the server too.
  if (auto moved = kept_.move(place->sequence); !moved) return std::move(moved).error();
  taken_ = place->sequence;
  return taken_;
}

Result<void> SqlSink::write_batch(std::span<const cdr::RecordView> records, std::uint64_t through) {
  if (auto connected = connect(config_.timeout_ms); !connected) return connected;
  try {
    return seen(decode_and_store(records, through));
  } catch (...) {
    session_.reset();  // its transaction may be open
    throw;
  }
}

Result<void> SqlSink::decode_and_store(std::span<const cdr::RecordView> records,
                                       std::uint64_t through) {
  std::vector<Cdr> cdrs;
  std::set<std::int64_t> days;
  for (const cdr::RecordView& view : records) {
    if (view.type != cdr::RecordType::end) continue;
    auto record = cdr::decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    days.insert(sql_day(record->cdr));
    cdrs.push_back(std::move(record->cdr));
  }
  if (auto done = session_->make_room(days); !done)
    return Error{is_of_record(done.error().code) ? ErrorCode::io : done.error().code,
                 std::move(done).error().message};
  return store(cdrs, through);
}

Result<void> SqlSink::store(std::span<const Cdr> cdrs, std::uint64_t through) {
  auto place = begin();
  if (!place) return std::move(place).error();
  if (place->sequence < taken_) {
    const std::string taken = std::to_string(taken_);
    if (place->sequence == 0)
      return Error{ErrorCode::wrong_state, "database was set back from record " + taken +
                                               " to nothing: set sequence of "
                                               "source \"" +
                                               config_.source + "\" in " + config_.table +
                                               "_place to the record behind which it goes on"};
    return Error{ErrorCode::wrong_state, "database was set back from record " + taken + " to " +
                                             std::to_string(place->sequence) +
                                             ": a restart offers again what the journal still has"};
  }
  // A commit whose answer was lost took place after all.
  const auto first = std::find_if(cdrs.begin(), cdrs.end(),
                                  [&](const Cdr& cdr) { return cdr.record_id > place->sequence; });
  if (first != cdrs.end()) {
    if (auto done =
            session_->add_rows(cdrs.subspan(static_cast<std::size_t>(first - cdrs.begin())));
        !done)
      return done;
  }
  if (place->sequence < through || place->owner.empty()) {
    if (auto done = session_->commit({identity_, std::max(place->sequence, through)}); !done)
      return done;
  } else if (auto done = session_->roll_back(); !done) {
    return done;
  }
  taken_ = std::max(place->sequence, through);
  // When it fails, the batch comes again and nothing of it is written: the journal must not give up
  // records behind the place that a start without the server goes by.
  return kept_.move(taken_);
}

Result<void> SqlSink::idle(std::int64_t wall_us) {
  if (clock_.monotonic_us() < care_at_us_) return cared_;
  if (auto connected = connect(config_.timeout_ms); !connected) return connected;
  cared_ = care(wall_us);
  if (cared_) {
    care_pause_us_ = 0;
    care_at_us_ = clock_.monotonic_us() + care_period_us;
    return {};
  }
  // A long query on the table, or rights that are lacking, are no fault of the connection. Each try
  // makes others wait, so that they become rare.
  if (cared_.error().code != ErrorCode::limit) session_.reset();
  care_pause_us_ = std::clamp(care_pause_us_ * 2, care_retry_min_us, care_period_us);
  care_at_us_ = clock_.monotonic_us() + care_pause_us_;
  return cared_;
}

Result<void> SqlSink::care(std::int64_t wall_us) {
  if (config_.ahead_days == 0 && config_.retention_days == 0) return {};
  const auto server_us = session_->wall_us();
  if (!server_us) return server_us.error();
  const auto existing = session_->days();
  if (!existing) return existing.error();
  const PartitionPlan plan = plan_partitions(*existing, cdr::day_of(sql_time_us(wall_us)),
                                             cdr::day_of(sql_time_us(*server_us)),
                                             config_.ahead_days, config_.retention_days);
  for (const std::int64_t day : plan.add) {
    if (auto done = session_->add_day(day); !done) return done;
  }
  if (config_.retention_days > 0) {
    if (auto done = session_->clear_dropped(plan.kept_from); !done) return done;
  }
  for (const std::int64_t day : plan.drop) {
    if (auto done = retire(day); !done) return done;
  }
  return {};
}

/// A day that has to stay is looked at again the next time.
Result<void> SqlSink::retire(std::int64_t day) {
  if (retention_.guard == nullptr) return session_->drop_day(day);
  const auto reason = retention_.guard->why_kept(day);
  // Nobody knows then; that says nothing of the connection.
  if (!reason) return Error{ErrorCode::limit, reason.error().message};
  if (!reason->empty()) return {};
  // Whatever dies behind this, the list has a line of the day.
  if (auto noted = retention_.guard->note_retired(day, retention_.sink); !noted)
    return Error{ErrorCode::limit, noted.error().message};
  auto dropped = session_->drop_day(day);
  if (dropped) return dropped;
  // A line too many is the lesser evil: without a connection nobody knows, and of a day that is
  // half done the rows are seen no more.
  if (dropped.error().code != ErrorCode::limit) return dropped;
  const auto left = session_->days();
  if (left && left->contains(day)) (void)retention_.guard->forget_retired(day, retention_.sink);
  return dropped;
}

}  // namespace tandem::remote
