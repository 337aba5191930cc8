// Maintenance of the day files of a switch, on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/time_zone.hpp"
#include "cdr/day_keeper_sqlite.hpp"
#include "cdr/retained_days.hpp"
#include "tandem/clock.hpp"
#include "tandem/maintenance.hpp"

namespace tandem {

/// Whose days are kept, and how.
struct MaintenancePlace {
  std::string folder;
  MaintenanceConfig rules;
  TimeZone zone;             ///< Of `at_minute`.
  std::string recordings{};  ///< Their folder; "": none are deleted.
  std::int32_t recordings_kept_days = 0;
  cdr::RetentionPlace retention{};               ///< What keeps days from being deleted.
  std::shared_ptr<cdr::Disk> journal_disk = {};  ///< Null: the system's.
};

/// Where a configuration has what keeps days from being deleted.
cdr::RetentionPlace retention_place(const SwitchConfig& config);

/// What is wrong with the rules, whoever made them. Errors: invalid_argument.
Result<void> check_maintenance(const MaintenanceConfig& rules);

/// Errors: unsupported (no SQLite sink), invalid_argument (the rules, the time zone).
Result<MaintenancePlace> maintenance_place(const SwitchConfig& config);

/// Keeps to a rate and ends when it is told to. Threading: stop() is thread-safe, the rest is of
/// one thread.
class SteadyPace final : public cdr::Pace {
 public:
  /// `waits`: false in simulations, where nobody advances the clock meanwhile.
  SteadyPace(const Clock& clock, std::int32_t megabytes_per_s, bool waits)
      : clock_(clock), megabytes_per_s_(megabytes_per_s), waits_(waits) {}
  Result<void> spend(std::uint64_t bytes) override;
  Result<void> pause() override;
  [[nodiscard]] bool is_over() const noexcept override;
  void stop() noexcept;

 private:
  Result<void> wait(std::int64_t wait_us);

  const Clock& clock_;
  const std::int32_t megabytes_per_s_;
  const bool waits_;
  std::int64_t paid_until_us_ = 0;  // monotonic
  mutable std::mutex mutex_;        // guards is_over_
  std::condition_variable wakes_;
  bool is_over_ = false;
};

/// The next time at or after `now_us` (wall clock) that the clock on the wall shows this minute of
/// the day; on a day that skips it, as long after midnight.
std::int64_t next_at_us(std::int64_t now_us, std::int32_t at_minute, const TimeZone& zone);

/// One run or act at a time, scheduled or asked for.
///
/// Threading: thread-safe; but close() and the destructor not on the thread of the maintenance.
class MaintenanceDesk {
 public:
  /// Told of each act that ended, on the thread of the maintenance.
  using OnOutcome = std::function<void(const MaintenanceOutcome&)>;

  /// `clock` outlives the object. `has_thread`: false does everything within start() and tick(), as
  /// simulations need it.
  MaintenanceDesk(const Clock& clock, OnOutcome on_outcome, bool has_thread)
      : clock_(clock), on_outcome_(std::move(on_outcome)), has_thread_(has_thread) {}
  ~MaintenanceDesk() { close(); }

  /// Now and then: begins the run of the day when its time has come.
  void tick(const MaintenancePlace& place);
  /// Begins it. Errors: invalid_argument (`day`, or what is no act), already_exists (something
  /// is going on), wrong_state (closed), limit (no thread).
  Result<void> start(const MaintenancePlace& place, MaintenanceAct act, std::string_view day);
  [[nodiscard]] MaintenanceState state() const;
  /// Ends what is going on, at the next step that leaves everything readable. Idempotent.
  void close();

 private:
  struct Work {
    MaintenancePlace place;
    MaintenanceAct act = MaintenanceAct::run;
    std::int64_t day = 0;
    std::optional<std::int64_t> until_us;
  };
  Result<void> start(Work work);
  void run(const Work& work, SteadyPace& pace);
  void end(MaintenanceReport report);

  const Clock& clock_;
  const OnOutcome on_outcome_;
  const bool has_thread_;
  mutable std::mutex mutex_;  // guards all below
  MaintenanceState state_;
  std::int32_t scheduled_minute_ = -1;  // that next_run_at_us was made of
  bool is_closed_ = false;
  std::shared_ptr<SteadyPace> pace_;  // of what is going on
  std::thread thread_;                // of the last one
};

}  // namespace tandem
