#include "switch/maintenance_desk.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/text.hpp"
#include "base/thread.hpp"
#include "cdr/compression.hpp"
#include "cdr/day_files.hpp"
#include "switch/recording_retention.hpp"
#include "tandem/config.hpp"

namespace tandem {
namespace {

constexpr std::int64_t minute_us = 60'000'000;
constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t owed_min_us = 50'000;  // shorter waits are collected
constexpr std::int64_t pause_us = 250'000;

Error told_to_end() { return {ErrorCode::wrong_state, "maintenance was ended"}; }

/// Day of an act, 0 with `run`.
Result<std::int64_t> day_of_act(MaintenanceAct act, std::string_view day) {
  if (*maintenance_act_name(act) == 0) {
    return Error{ErrorCode::invalid_argument,
                 "act " + std::to_string(static_cast<int>(act)) + " cannot be asked for"};
  }
  if (act == MaintenanceAct::run) {
    if (day.empty()) return std::int64_t{0};
    return Error{ErrorCode::invalid_argument,
                 "a run was asked for \"" + std::string(day) + "\", and is of no day"};
  }
  auto number = parse_day(day);
  if (number && (*number < 0 || *number > cdr::last_day))
    return Error{ErrorCode::invalid_argument, "day \"" + std::string(day) + "\" was out of range"};
  return number;
}

/// One act as a report.
MaintenanceReport report_of(cdr::DayKeeper& keeper, MaintenanceAct act, std::int64_t day,
                            const cdr::Pace& pace, const Clock& clock) {
  MaintenanceReport report;
  report.started_at_us = clock.wall_us();
  const auto done = keeper.act(act, day);
  report.was_cut_short = !done && pace.is_over();
  MaintenanceOutcome& outcome = report.outcomes.emplace_back();
  outcome.act = act;
  outcome.day = format_date(day * cdr::day_us);
  if (!done) {
    outcome.failure = done.error().message;
    outcome.is_kept = keeper.was_kept();
    outcome.is_put_off = done.error().code == ErrorCode::wrong_state && !outcome.is_kept;
  }
  report.ended_at_us = clock.wall_us();
  return report;
}

}  // namespace

Result<void> check_maintenance(const MaintenanceConfig& rules) {
  struct Range {
    const char* name;
    std::int32_t value, low, high;
  };
  constexpr std::int32_t days_max = 36'500;
  const Range ranges[] = {{"at_minute", rules.at_minute, 0, 1'439},
                          {"window_minutes", rules.window_minutes, 1, 1'440},
                          {"seal_after_days", rules.seal_after_days, 0, days_max},
                          {"archive_after_days", rules.archive_after_days, 0, days_max},
                          {"delete_after_days", rules.delete_after_days, 0, days_max},
                          {"restored_days", rules.restored_days, 1, days_max},
                          {"verify_archives", rules.verify_archives, 0, 1'000},
                          {"io_megabytes_per_s", rules.io_megabytes_per_s, 1, 10'000}};
  for (const Range& range : ranges) {
    if (range.value >= range.low && range.value <= range.high) continue;
    return Error{ErrorCode::invalid_argument,
                 std::string(range.name) + " " + std::to_string(range.value) + " was not in " +
                     std::to_string(range.low) + ".." + std::to_string(range.high)};
  }
  if (rules.archive_after_days > 0 && rules.archive_after_days < rules.seal_after_days) {
    return Error{ErrorCode::invalid_argument, "archive_after_days " +
                                                  std::to_string(rules.archive_after_days) +
                                                  " was before seal_after_days"};
  }
  if (rules.delete_after_days > 0 &&
      (rules.archive_after_days == 0 || rules.delete_after_days <= rules.archive_after_days)) {
    return Error{ErrorCode::invalid_argument, "delete_after_days " +
                                                  std::to_string(rules.delete_after_days) +
                                                  " was not later than archive_after_days"};
  }
  if (rules.archive_after_days > 0 && !cdr::has_compression()) {
    return Error{ErrorCode::invalid_argument,
                 "archive_after_days was given, and this library was built without archives "
                 "(TANDEM_WITH_ZSTD)"};
  }
  return {};
}

cdr::RetentionPlace retention_place(const SwitchConfig& config) {
  cdr::RetentionPlace place;
  if (!config.database.empty()) place.database = config.path(config.database);
  place.journal = config.path(config.cdr_journal);
  for (const CdrSinkConfig& sink : config.cdr_sinks) {
    if (sink.type == "http" || sink.type == "postgresql" || sink.type == "mariadb")
      place.positions.push_back(config.path(sink.path) + "/position");
  }
  return place;
}

Result<MaintenancePlace> maintenance_place(const SwitchConfig& config) {
  if (auto checked = check_maintenance(config.maintenance); !checked)
    return std::move(checked).error();
  for (const CdrSinkConfig& sink : config.cdr_sinks) {
    if (sink.type != "sqlite") continue;
    auto zone = TimeZone::load(config.parameters.timezone);
    if (!zone) return std::move(zone).error();
    MaintenancePlace place{config.path(sink.path), config.maintenance, std::move(*zone)};
    place.retention = retention_place(config);
    if (config.recording && config.recording->delete_after_days > 0) {
      place.recordings = config.path(config.recording->folder);
      place.recordings_kept_days = config.recording->delete_after_days;
    }
    return place;
  }
  return Error{ErrorCode::unsupported, "configuration has no sqlite sink whose days are kept"};
}

Result<void> SteadyPace::wait(std::int64_t wait_us) {
  std::unique_lock lock(mutex_);
  if (waits_)
    wakes_.wait_for(lock, std::chrono::microseconds(wait_us), [this] { return is_over_; });
  if (is_over_) return told_to_end();
  return {};
}

/// A megabyte a second is a byte a microsecond.
Result<void> SteadyPace::spend(std::uint64_t bytes) {
  const std::int64_t now_us = clock_.monotonic_us();
  paid_until_us_ =
      std::max(paid_until_us_, now_us) + static_cast<std::int64_t>(bytes) / megabytes_per_s_;
  const std::int64_t owed_us = paid_until_us_ - now_us;
  if (owed_us >= owed_min_us) return wait(owed_us);
  if (is_over()) return told_to_end();
  return {};
}

Result<void> SteadyPace::pause() { return wait(pause_us); }

bool SteadyPace::is_over() const noexcept {
  const std::lock_guard lock(mutex_);
  return is_over_;
}

void SteadyPace::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  wakes_.notify_all();
}

std::int64_t next_at_us(std::int64_t now_us, std::int32_t at_minute, const TimeZone& zone) {
  const LocalTime now = zone.local(now_us);
  for (std::int64_t day = now.day; day <= now.day + 1; ++day) {
    const std::int64_t local_s = day * 86'400 + at_minute * std::int64_t{60};
    // The offset of a time depends on the time: of the first guess, then of what that gave.
    std::int64_t utc_s = local_s - zone.offset_s(now_us / second_us);
    utc_s = local_s - zone.offset_s(utc_s);
    if (utc_s * second_us >= now_us) return utc_s * second_us;
  }
  return now_us + cdr::day_us;  // two days of which neither has that time
}

void MaintenanceDesk::tick(const MaintenancePlace& place) {
  const std::int64_t now_us = clock_.wall_us();
  Work work{place, MaintenanceAct::run, 0, {}};
  {
    const std::lock_guard lock(mutex_);
    state_.is_scheduled = place.rules.is_scheduled;
    if (!place.rules.is_scheduled) {
      state_.next_run_at_us = 0;
      return;
    }
    constexpr std::int64_t longest_us = 2 * cdr::day_us;  // or the clock was set back
    if (state_.next_run_at_us == 0 || scheduled_minute_ != place.rules.at_minute ||
        state_.next_run_at_us > now_us + longest_us) {
      scheduled_minute_ = place.rules.at_minute;
      state_.next_run_at_us = next_at_us(now_us, place.rules.at_minute, place.zone);
    }
    if (now_us < state_.next_run_at_us) return;
    const std::int64_t window_us = place.rules.window_minutes * minute_us;
    const std::int64_t until_us = state_.next_run_at_us + window_us;
    state_.next_run_at_us =
        next_at_us(std::max(state_.next_run_at_us + minute_us, now_us - window_us),
                   place.rules.at_minute, place.zone);
    if (now_us >= until_us) return;  // the clock was set forward over all of it
    work.until_us = until_us;
  }
  if (auto done = start(std::move(work)); !done)
    on_outcome_({MaintenanceAct::run, "", done.error().message, false});
}

Result<void> MaintenanceDesk::start(const MaintenancePlace& place, MaintenanceAct act,
                                    std::string_view day) {
  auto number = day_of_act(act, day);
  if (!number) return std::move(number).error();
  return start(Work{place, act, *number, {}});
}

Result<void> MaintenanceDesk::start(Work work) {
  std::shared_ptr<SteadyPace> pace;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return Error{ErrorCode::wrong_state, "switch was closed"};
    if (state_.is_running)
      return Error{ErrorCode::already_exists, "maintenance was going on already"};
    pace = pace_ =
        std::make_shared<SteadyPace>(clock_, work.place.rules.io_megabytes_per_s, has_thread_);
    if (has_thread_) {
      if (thread_.joinable()) thread_.join();  // it has left run(), or is about to
      try {
        thread_ = start_thread("tandem-maintain", [this, work, pace] { run(work, *pace); });
      } catch (const std::system_error& error) {
        return Error{ErrorCode::limit, std::string("no thread was started: ") + error.what()};
      }
    }
    state_.is_running = true;
  }
  if (!has_thread_) run(work, *pace);
  return {};
}

namespace {

/// Recordings before the days: how long they are kept is often the law's to say, so no backlog of
/// archives may keep them, and to delete them is quick.
MaintenanceReport run_all(const MaintenancePlace& place, cdr::DayKeeper& keeper, const Clock& clock,
                          cdr::Pace& pace, std::optional<std::int64_t> until_us) {
  const std::int64_t started_at_us = clock.wall_us();
  RecordingsLeft left;
  Result<void> noted;
  if (!place.recordings.empty()) {
    const auto judged_us = keeper.judged_us();
    if (judged_us) {
      const std::int64_t older_than_us =
          *judged_us - std::int64_t{place.recordings_kept_days} * cdr::day_us;
      left = delete_recordings(place.recordings, older_than_us, pace,
                               [&] { return !until_us || clock.wall_us() < *until_us; });
      if (left.deleted > 0 || left.failures > 0) {
        noted = keeper.note_act("delete_recordings", format_date(older_than_us), left.failure,
                                static_cast<std::int64_t>(left.deleted));
      }
    }  // else the run says why
  }
  MaintenanceReport report = keeper.run(until_us);
  report.started_at_us = started_at_us;
  report.recordings_deleted = left.deleted;
  report.was_cut_short = report.was_cut_short || left.was_cut_short;
  if (left.failures > 0) {
    std::string failure = "recordings: " + left.failure;
    if (left.failures > 1) failure += ", and " + std::to_string(left.failures - 1) + " more";
    report.outcomes.insert(report.outcomes.begin(),
                           {MaintenanceAct::run, "", std::move(failure), false});
  }
  if (!noted) {
    report.outcomes.insert(
        report.outcomes.begin(),
        {MaintenanceAct::run, "", "recordings: " + noted.error().message, false});
  }
  return report;
}

}  // namespace

/// An exception ends the work and not the process: nobody above this thread would catch it.
void MaintenanceDesk::run(const Work& work, SteadyPace& pace) {
  MaintenanceReport report;
  report.started_at_us = clock_.wall_us();
  const auto failed = [&](const std::string& message) {
    report.outcomes.push_back(
        {work.act,
         work.act == MaintenanceAct::run ? std::string() : format_date(work.day * cdr::day_us),
         message, false});
    report.ended_at_us = clock_.wall_us();
  };
  try {
    const auto guard = cdr::make_day_guard(work.place.retention, clock_, work.place.journal_disk);
    cdr::DayKeeper::Options options{work.place.folder, work.place.rules};
    options.guard = guard.get();
    options.on_act = [this](MaintenanceAct act, std::int64_t day) {
      const std::lock_guard lock(mutex_);
      state_.doing = std::string(maintenance_act_name(act)) + ' ' + format_date(day * cdr::day_us);
    };
    auto keeper = cdr::DayKeeper::open(std::move(options), clock_, pace);
    if (!keeper) {
      failed(keeper.error().message);
    } else if (work.act == MaintenanceAct::run) {
      report = run_all(work.place, **keeper, clock_, pace, work.until_us);
    } else {
      report = report_of(**keeper, work.act, work.day, pace, clock_);
    }
  } catch (const std::exception& error) {
    failed(std::string("maintenance was ended: ") + error.what());
  }
  end(std::move(report));
}

void MaintenanceDesk::end(MaintenanceReport report) {
  const bool is_over = report.was_cut_short;
  for (const MaintenanceOutcome& outcome : report.outcomes) {
    if (!is_over || outcome.failure.empty() || !outcome.is_put_off) on_outcome_(outcome);
  }
  const std::lock_guard lock(mutex_);
  state_.is_running = false;
  state_.doing.clear();
  ++state_.runs;
  state_.failures += static_cast<std::uint64_t>(
      std::count_if(report.outcomes.begin(), report.outcomes.end(), [](const auto& outcome) {
        return !outcome.failure.empty() && !outcome.is_put_off && !outcome.is_kept;
      }));
  state_.last = std::move(report);
  pace_.reset();
}

MaintenanceState MaintenanceDesk::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void MaintenanceDesk::close() {
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    if (pace_ != nullptr) pace_->stop();
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

Result<std::vector<StoredDay>> stored_days(const SwitchConfig& config) {
  auto place = maintenance_place(config);
  if (!place) return std::move(place).error();
  return cdr::stored_days_in(place->folder);
}

Result<std::vector<MaintenanceNote>> maintenance_notes(const SwitchConfig& config,
                                                       const MaintenanceNoteQuery& query) {
  std::vector<MaintenanceNote> found;
  // Without day files there are partitions all the same.
  const auto place = maintenance_place(config);
  if (!place && place.error().code != ErrorCode::unsupported) return place.error();
  auto noted = cdr::noted_acts_in(place ? place->folder : std::string(), query);
  if (!noted) return noted;
  auto retired =
      cdr::retired_days(retention_place(config).database, MaintenanceNoteQuery::limit_max);
  if (!retired) return std::move(retired).error();
  for (const cdr::RetiredDay& one : *retired) {
    MaintenanceNote note;
    note.at_us = one.at_us;
    note.act = "retire";
    note.day = format_date(one.day * cdr::day_us);
    note.sink = one.sink;
    const bool is_wanted = (query.act.empty() || query.act == note.act) &&
                           (query.day.empty() || query.day == note.day) &&
                           (!query.since_us || note.at_us >= *query.since_us) &&
                           (!query.until_us || note.at_us < *query.until_us);
    if (is_wanted) found.push_back(std::move(note));
  }
  const auto middle = static_cast<std::ptrdiff_t>(found.size());
  found.insert(found.end(), std::make_move_iterator(noted->begin()),
               std::make_move_iterator(noted->end()));
  std::inplace_merge(
      found.begin(), found.begin() + middle, found.end(),
      [](const MaintenanceNote& a, const MaintenanceNote& b) { return a.at_us > b.at_us; });
  if (found.size() > query.limit) found.resize(query.limit);
  return found;
}

Result<MaintenanceReport> maintain(const SwitchConfig& config, MaintenanceAct act,
                                   std::string_view day) {
  auto place = maintenance_place(config);
  if (!place) return std::move(place).error();
  auto number = day_of_act(act, day);
  if (!number) return std::move(number).error();
  const SystemClock clock;
  SteadyPace pace(clock, place->rules.io_megabytes_per_s, true);
  const auto guard = cdr::make_day_guard(place->retention, clock);
  cdr::DayKeeper::Options options{place->folder, place->rules};
  options.guard = guard.get();
  auto keeper = cdr::DayKeeper::open(std::move(options), clock, pace);
  if (!keeper) return std::move(keeper).error();
  if (act == MaintenanceAct::run) return run_all(*place, **keeper, clock, pace, std::nullopt);
  return report_of(**keeper, act, *number, pace, clock);
}

}  // namespace tandem
