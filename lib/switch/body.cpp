// The life of a switch: starts, pumps what is due, closes.
#include "switch/body.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>

#include "base/thread.hpp"
#include "media/recorder.hpp"
#include "switch/ask_workers.hpp"

namespace tandem {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t pump_period_us = 100'000;
constexpr std::int64_t sink_drain_ms = 5'000;
constexpr std::int64_t farewell_us =
    second_us;  // for BYEs and their answers when the switch closes
constexpr std::int64_t day_us = 86'400 * second_us;
constexpr std::int64_t retention_kept_each_us = 3'600'000'000;
constexpr int carry_io_failures_told = 10;  // in a row, a second between two
constexpr std::int64_t maintenance_tick_us = 10 * second_us;
constexpr std::size_t carried_entries_max = 2'000;      // at a time, which takes some milliseconds
constexpr std::int64_t first_names_us = 3 * second_us;  // longest that a start waits for them

}  // namespace

Switch::Body::~Body() { close(); }

Result<void> Switch::Body::start() {
  Life expected = Life::created;
  if (!life_.compare_exchange_strong(expected, Life::running)) {
    return Error{ErrorCode::wrong_state, "switch was started or closed before"};
  }
  if (!is_simulated()) {
    ledger_runner_->start_thread();
    package_runner_->start_thread();
    for (Sink& sink : sinks_)
      sink.runner->start_thread();
  }
  package_keeper_->advance(wall_us());  // no call may use what ended while the switch was down
  for (Seat& seat : seats_)
    seat.loop->start();
  if (!is_simulated()) {  // calls that come at once find what names stand for
    name_keeper_->wait_until_known(first_names_us);
    publish_names();
  }
  if (!is_simulated())
    builder_ = start_thread("tandem-builder", [this] { build_tables_when_due(); });
  return {};
}

void Switch::Body::build_tables_when_due() {
  std::unique_lock lock(builder_mutex_);
  for (;;) {
    builder_wakes_.wait_for(lock, std::chrono::microseconds(second_us),
                            [this] { return is_builder_over_ || has_name_news_.load(); });
    if (is_builder_over_) return;
    lock.unlock();
    if (has_name_news_.exchange(false)) publish_names();
    activate_due_decks();
    keep_deck_images();
    store_registrations();
    keep_dead_letters();
    carry_ledger_forward();
    keep_days();
    {
      // Not while a change is in the making, which may yet be refused.
      const auto change = provisioning_body_->exclusive();
      package_keeper_->advance(wall_us());
    }
    compare_with_peers();
    retired_tables_->free_all();
    lock.lock();
  }
}

void Switch::Body::activate_due_decks() {
  auto done = provisioning_body_->activate_due();
  std::string failure = done ? std::string() : done.error().message;
  if (!failure.empty() && failure != activation_failure_) alarm(failure);  // it is tried again
  activation_failure_ = std::move(failure);
}

/// An image saves time at the next start and nothing else: without it all is as it was before.
void Switch::Body::keep_deck_images() {
  if (auto kept = provisioning_body_->keep_images(); !kept)
    log_.write(LogLevel::warning, "switch", "an image of a rate deck was not written",
               {{"reason", kept.error().message}});
}

void Switch::Body::carry_ledger_forward() {
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  if (now_us - carried_at_us_ < second_us) return;
  carried_at_us_ = now_us;
  std::int64_t kept_days = 0;
  {
    const std::lock_guard lock(config_mutex_);
    kept_days = config_.parameters.ledger_retention_days;
  }
  if (kept_days == 0) return;
  const auto carried = carry_due_entries(kept_days);
  // The file may be another writer's for a moment: the next second comes soon enough.
  const bool is_io = !carried && carried.error().code == ErrorCode::io;
  carry_io_failures_ = is_io ? carry_io_failures_ + 1 : 0;
  if (is_io && carry_io_failures_ < carry_io_failures_told) return;
  std::string failure = carried ? std::string() : carried.error().message;
  if (!failure.empty() && failure != carry_failure_) alarm(failure);  // it is tried again
  carry_failure_ = std::move(failure);
}

/// A part of what is due: the ledger answers questions and takes records in between. Errors: what
/// an alarm is raised for.
Result<void> Switch::Body::carry_due_entries(std::int64_t kept_days) {
  const std::int64_t now_us = wall_us();
  const std::int64_t monotonic_us = environment_.network->clock().monotonic_us();
  if (!retention_clock_) {
    auto known = ledger_->retention_time_us(now_us);
    if (!known) return std::move(known).error();
    retention_clock_.emplace(*known, monotonic_us);
    retention_kept_us_ = 0;  // so that it is kept at once
  }
  const std::int64_t judged_us = retention_clock_->advance(now_us, monotonic_us);
  if (retention_clock_->known_us() - retention_kept_us_ >= retention_kept_each_us) {
    if (auto kept = ledger_->keep_retention_time(retention_clock_->known_us()); !kept) return kept;
    retention_kept_us_ = retention_clock_->known_us();
  }
  const auto carried = ledger_->carry_forward(judged_us - kept_days * day_us, carried_entries_max);
  if (!carried) return carried.error();
  if (*carried == 0) {
    const auto oldest = ledger_->oldest_entry_us();
    if (!oldest) return oldest.error();
    if (*oldest && **oldest > now_us + day_us)
      return Error{ErrorCode::wrong_state,
                   "oldest entry of the ledger is of " + format_time_us(**oldest) +
                       ", ahead of the clock: nothing behind it is carried forward before then"};
  }
  if (now_us > retention_clock_->known_us() + day_us)
    return Error{ErrorCode::wrong_state,
                 "clock is more than a day ahead of the time that the ledger was last carried "
                 "forward by: a day of entries is due each hour until it is made up for"};
  return {};
}

/// In a simulation: what the writer and the sink threads do otherwise.
void Switch::Body::pump() {
  seats_.front().loop->timers().start(*pump_timer_, pump_period_us);
  journal_->pump();
  ledger_runner_->pump();
  package_runner_->pump();
  for (Sink& sink : sinks_)
    sink.runner->pump();
  if (has_name_news_.exchange(false)) publish_names();
  activate_due_decks();
  store_registrations();
  keep_dead_letters();
  carry_ledger_forward();
  keep_days();
  package_keeper_->advance(wall_us());
  compare_with_peers();
}

/// Maintenance of the day files, when its time has come.
void Switch::Body::keep_days() {
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  if (days_kept_at_us_ != 0 && now_us - days_kept_at_us_ < maintenance_tick_us) return;
  days_kept_at_us_ = now_us;
  const SwitchConfig config = records_config();
  // A schedule that a reload has taken away is gone when the desk was told.
  if (!config.maintenance.is_scheduled && !maintenance_.state().is_scheduled) return;
  const auto place = maintenance_place();
  std::string failure = place ? std::string() : place.error().message;
  if (!failure.empty() && failure != maintenance_failure_) alarm(failure);  // it is tried again
  maintenance_failure_ = std::move(failure);
  if (place) maintenance_.tick(*place);
}

Result<void> Switch::Body::start_maintenance(MaintenanceAct act, std::string_view day) {
  const auto place = maintenance_place();
  if (!place) return place.error();
  return maintenance_.start(*place, act, day);
}

/// On the thread of the maintenance.
void Switch::Body::tell_of_maintenance(const MaintenanceOutcome& outcome) {
  const std::string act = maintenance_act_name(outcome.act);
  log_.write(LogLevel::info, "switch", "maintenance",
             {{"act", act}, {"day", outcome.day}, {"failure", outcome.failure}});
  if (outcome.failure.empty() || outcome.is_put_off || outcome.is_kept) return;
  const std::string what = outcome.day.empty() ? act : act + " of " + outcome.day;
  alarm("maintenance failed, " + what + ": " + outcome.failure);
}

/// What a period came to at both ends of the interconnects that want to know (B-27).
void Switch::Body::compare_with_peers() {
  SwitchConfig wanted;  // what the reconciler looks at, without a copy of the rates
  {
    const std::lock_guard lock(config_mutex_);
    wanted.parameters = config_.parameters;
    wanted.folder = config_.folder;
    for (const VendorGateway& vendor : config_.provision.vendor_gateways) {
      if (!vendor.reconciliation) continue;
      VendorGateway& one = wanted.provision.vendor_gateways.emplace_back();
      one.id = vendor.id;
      one.reconciliation = vendor.reconciliation;
    }
  }
  reconciler_->advance(wall_us(), wanted);
}

/// Once a second: says what stopped working and what works again (alarms of O-03).
void Switch::Body::judge_health() {
  seats_.front().loop->timers().start(*watch_timer_, second_us);
  deliver_media_events();
  const auto judge = [&](const std::string& what, bool is_bad, const std::string& text) {
    bool& raised = alarms_[what];
    if (raised == is_bad) return;
    raised = is_bad;
    alarm(is_bad ? text : what + " works again");
  };
  judge("journal", !journal_->is_writable(), "journal cannot be written, new calls are refused");
  const auto judge_sink = [&](const cdr::SinkRunner& runner) {
    const CdrSinkState state = runner.state();
    judge("sink " + state.name, state.is_failing,
          "sink " + state.name + " fails: " + state.last_error);
    judge_pending(state);
    std::uint64_t& told = set_aside_told_[state.name];
    if (state.set_aside > told) {
      alarm("sink " + state.name + " refused records for good: " + std::to_string(state.set_aside) +
            " were set aside");
    }
    told = state.set_aside;
  };
  for (const LimitNews& news : state_.accounts.take_limit_news()) {
    alarm("account \"" + news.account + "\" reached its limit \"" + limit_key(news.limit) +
          "\": calls are refused until " + format_time_us(news.until_us));
  }
  judge_sink(*ledger_runner_);
  judge_sink(*package_runner_);
  for (const Sink& sink : sinks_)
    judge_sink(*sink.runner);
  if (name_keeper_ != nullptr) judge_names(judge);
  judge_notices(judge);
  tell_of_ended_traces();
}

/// C-07: from four fifths of what may wait for a sink on an alarm is raised, below half it is over.
/// Nothing is refused for that: the records are on the disk.
void Switch::Body::judge_pending(const CdrSinkState& state) {
  const std::int64_t most = tables()->parameters.cdr_pending_max;
  bool& raised = alarms_["pending " + state.name];
  const auto waiting = static_cast<std::int64_t>(state.lag_records);
  const bool is_bad = most > 0 && (raised ? waiting >= most / 2 : waiting >= most - most / 5);
  if (raised == is_bad) return;
  raised = is_bad;
  alarm("sink " + state.name + (is_bad ? " has " : " caught up, has ") + std::to_string(waiting) +
        (is_bad ? " records waiting for it, of " + std::to_string(most) : " records waiting"));
}

void Switch::Body::alarm(std::string text) {
  log_.write(LogLevel::error, "switch", "alarm", {{"text", text}});
  if (!wants_events()) return;
  Event event;
  event.kind = Event::Kind::alarm;
  event.at_us = environment_.network->clock().wall_us();
  event.text = std::move(text);
  publish(std::move(event));
}

void Switch::Body::publish(Event event) noexcept {
  if (event.kind == Event::Kind::phone && phone_notices_->is_on()) {
    try {
      notice_phone(event);
    } catch (const std::exception&) {  // no memory for it: a snapshot tells
    }
  }
  const bool is_watched = hub_->has_feeds();
  if (hooks_.on_event) {
    try {
      callbacks_->push(is_watched ? Event(event) : std::move(event));
    } catch (const std::exception&) {  // no memory for the copy: the watchers get it
    }
  }
  if (is_watched) hub_->publish(std::move(event));
}

void Switch::Body::drain() noexcept {
  const std::lock_guard lock(workers_mutex_);
  if (life_ == Life::closed) return;
  commons_->is_draining.store(true);
  stack_->set_draining(true);
}

std::size_t Switch::Body::live_calls() const noexcept {
  return static_cast<std::size_t>(std::max<std::int64_t>(0, commons_->live_calls.load()));
}

Result<void> Switch::Body::wait_idle(std::int64_t timeout_us) {
  wait_until([this] { return live_calls() == 0; }, timeout_us);
  if (live_calls() != 0)
    return Error{ErrorCode::timeout, std::to_string(live_calls()) + " calls were still up"};
  return {};
}

/// Dialogs outlive their calls until the other side has answered the BYE.
std::uint64_t Switch::Body::live_dialogs() const noexcept {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < seats_.size(); ++i)
    sum += stack_->counters(i).dialogs_live.load();
  return sum;
}

/// Polls, because a call ends on its worker and tells nobody; used at shutdown only.
void Switch::Body::wait_until(const std::function<bool()>& is_done, std::int64_t timeout_us) {
  if (is_simulated()) return;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  const SystemClock clock;
  const std::int64_t end_us = clock.monotonic_us() + timeout_us;
  while (!is_done() && clock.monotonic_us() < end_us) {
    never.wait_for(lock, std::chrono::milliseconds(20));
  }
}

void Switch::Body::close() {
  const std::lock_guard lock(close_mutex_);
  if (life_ == Life::closed) return;
  if (rerate_jobs_ != nullptr) rerate_jobs_->stop();  // its end is waited for behind the calls
  {
    const std::lock_guard builder_lock(builder_mutex_);
    is_builder_over_ = true;
  }
  builder_wakes_.notify_all();
  if (builder_.joinable()) builder_.join();
  maintenance_.close();
  retired_tables_->close();
  if (life_ == Life::running) {
    commons_->is_draining.store(true);
    ask_workers([](call::Worker& worker) {
      worker.end_all(Reason::ServerShutdown);
      worker.leave_vendors();
      return true;
    });
    wait_until([this] { return live_calls() == 0 && live_dialogs() == 0 && !is_at_vendors(); },
               farewell_us);
  }
  {
    const std::lock_guard workers_lock(workers_mutex_);
    life_ = Life::closed;
  }
  for (Seat& seat : seats_) {
    if (seat.loop != nullptr) seat.loop->stop();
  }
  if (commons_ != nullptr) commons_->is_closed.store(true);
  watch_timer_.reset();
  pump_timer_.reset();
  if (phone_notices_ != nullptr) {
    phone_notices_->close();
    keep_dead_letters();
  }
  {
    const std::lock_guard reconciler_lock(reconciler_mutex_);
    reconciler_.reset();
  }
  name_keeper_.reset();
  for (Seat& seat : seats_)
    seat.worker.reset();  // legs that are left go to the stack
  stack_.reset();
  close_traces();
  store_registrations();
  relay_.reset();  // its ports, or its events, need the first loop
  recorder_.reset();
  for (Seat& seat : seats_)
    seat.loop.reset();
  if (rerate_jobs_ != nullptr) rerate_jobs_->close();
  if (journal_ != nullptr) {
    if (is_simulated()) {
      journal_->pump();
      if (ledger_runner_ != nullptr) ledger_runner_->pump();
      if (package_runner_ != nullptr) package_runner_->pump();
      for (Sink& sink : sinks_)
        sink.runner->pump();
    }
    journal_->close();
  }
  for (Sink& sink : sinks_)
    sink.runner->stop(sink_drain_ms);
  if (ledger_runner_ != nullptr) ledger_runner_->stop(sink_drain_ms);
  if (package_runner_ != nullptr) package_runner_->stop(sink_drain_ms);
  if (callbacks_ != nullptr) callbacks_->close();
  hub_->close();
  if (running_shadow() != nullptr) (void)stop_shadow();  // nobody waits for the report any more
}

/// On the journal's writer: wakes the workers whose calls wait to be answered.
void Switch::Body::tell_workers_of_commit() noexcept {
  const std::lock_guard lock(workers_mutex_);
  if (life_ != Life::running) return;
  for (Seat& seat : seats_) {
    call::Worker* const worker = seat.worker.get();
    if (worker == nullptr || !worker->is_awaiting()) continue;
    // A full loop: the call's own timer serves it.
    (void)seat.loop->post([worker] { worker->on_durable(); });
  }
}

void Switch::Body::hasten_commit() noexcept {
  if (!is_simulated() || is_commit_due_) return;
  is_commit_due_ = true;
  seats_.front().loop->defer([this] {
    is_commit_due_ = false;
    journal_->pump();
  });
}

}  // namespace tandem
