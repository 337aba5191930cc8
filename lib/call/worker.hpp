// One call worker: the calls that live on one loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "call/farewell.hpp"
#include "call/health_check.hpp"
#include "call/leg_relay.hpp"
#include "call/nat_keeper.hpp"
#include "call/phone_check.hpp"
#include "call/stages.hpp"
#include "call/stand_in.hpp"
#include "call/tables.hpp"
#include "call/uplinks.hpp"
#include "cdr/journal.hpp"
#include "io/loop.hpp"
#include "lrn/lookups.hpp"
#include "tandem/call.hpp"
#include "tandem/clock.hpp"
#include "tandem/log.hpp"
#include "tandem/media_recorder.hpp"
#include "tandem/media_relay.hpp"
#include "trace/recorder.hpp"

namespace tandem::call {

class Call;
class Worker;
struct ShadowCall;

/// Where the worker's index stands in the id of a call: ids stay below 2^53, so that every reader
/// of JSON keeps them whole.
inline constexpr unsigned call_id_worker_shift = 46;

/// What calls tell and ask beyond their worker. Threading: thread-safe; called on call workers,
/// must not block.
class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual bool wants_events() const noexcept = 0;
  /// The same of phones that come on line and go.
  [[nodiscard]] virtual bool wants_phones() const noexcept { return wants_events(); }
  virtual void publish(Event event) noexcept = 0;
  [[nodiscard]] virtual bool has_policy() const noexcept = 0;
  /// The answer comes back through Worker::answer_policy() on the worker of the token.
  virtual void ask_policy(PolicyQuestion question) noexcept = 0;
  [[nodiscard]] virtual std::int64_t policy_deadline_us() const noexcept = 0;
  [[nodiscard]] virtual const PolicyAnswer& policy_default() const noexcept = 0;
  /// A resolver of kind `host` asks. False: there is no hook, or it is too slow. The answer comes
  /// back through Worker::answer_lrn() on the worker of the token.
  [[nodiscard]] virtual bool ask_lrn(LrnQuestion question) noexcept = 0;
  /// A call waits for the journal. With a writer thread there is nothing to do; a simulation
  /// commits at the end of the turn.
  virtual void hasten_commit() noexcept = 0;
  /// Whether calls that arrive now shall be shown to shadow() once they are over.
  [[nodiscard]] virtual bool wants_shadow() const noexcept = 0;
  virtual void shadow(ShadowCall call) noexcept = 0;
};

/// What all workers of a switch share.
struct Commons {
  Commons(SharedState& shared, cdr::Journal& records, Log& lines, Host& owner) noexcept
      : state(shared), journal(records), log(lines), host(owner) {}
  SharedState& state;
  cdr::Journal& journal;
  Log& log;
  Host& host;
  MediaRelay* relay = nullptr;                ///< Null: no media can be relayed.
  MediaRecorder* recorder = nullptr;          ///< Null: nothing is recorded.
  std::string recording_name;                 ///< RecordingConfig::name.
  trace::Recorder* trace_recorder = nullptr;  ///< Null: nothing is traced.
  std::vector<Worker*> workers;               ///< By their index; complete before the loops start.
  std::atomic<bool> is_draining{false};
  std::atomic<bool> is_closed{false};  ///< The loops have stopped.
  std::atomic<std::int64_t> live_calls{0};
};

/// Counters of one worker; read by any thread.
struct WorkerCounters {
  std::atomic<std::uint64_t> started{0}, answered{0}, ended{0}, refused{0}, unrecorded{0};
};

/// Threading: loop-bound, but for counters().
class Worker final : public InboundCalls, private lrn::LookupEvents {
 public:
  /// `index`: 0..63, the top bits of the ids of its calls. All references outlive the worker.
  Worker(unsigned index, io::Loop& loop, Random& random, Commons& commons,
         std::shared_ptr<const Tables> tables);
  ~Worker() override;  ///< After the loop has stopped; calls that are left end without a record.

  /// Before the loop starts. The first worker asks vendors for all of them whether they are there.
  void set_legs(LegFactory& legs);
  /// `names`: of these tables; null: nothing is known of names.
  void set_tables(std::shared_ptr<const Tables> tables, std::shared_ptr<const Names> names);
  void set_names(std::shared_ptr<const Names> names);  ///< Of the tables that it has.

  void on_call(std::unique_ptr<Leg> leg, const InboundCall& call) override;
  RegisterReply on_register(const RegisterRequest& request) override;
  [[nodiscard]] bool takes_replaces(const SocketAddress& source, std::string_view user) override;
  void on_flow_closed(const FlowId& flow) override;
  /// Takes back what the switch has registered at vendors.
  void leave_vendors();
  void answer_policy(std::uint64_t token, const PolicyAnswer& answer);
  void answer_lrn(std::uint64_t token, const LrnAnswer& answer) { lookups_.answer(token, answer); }
  /// False when there is no such call.
  bool disconnect(std::uint64_t id);
  /// Begins or ends the recording of a call. Errors: not_found (there is no such call), and those
  /// of Call::record().
  Result<void> record(std::uint64_t id, bool on);
  /// The same of Call::order().
  Result<void> order(std::uint64_t id, const ServiceOrder& what);
  /// What the relay saw of a call of this worker.
  void on_media(const MediaEvent& event);
  void end_all(Reason reason);
  [[nodiscard]] std::vector<CallView> views() const;
  [[nodiscard]] const WorkerCounters& counters() const noexcept { return counters_; }

  // For calls.
  [[nodiscard]] io::Loop& loop() noexcept { return loop_; }
  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] Commons& commons() noexcept { return commons_; }
  [[nodiscard]] LegFactory& legs() noexcept { return *legs_; }
  [[nodiscard]] lrn::Lookups& lookups() noexcept { return lookups_; }
  /// Stands for one number of a call.
  [[nodiscard]] static lrn::Waiter waiter_of(std::uint64_t call_id, bool is_caller) noexcept {
    return call_id << 1U | (is_caller ? 1U : 0U);
  }
  [[nodiscard]] WorkerCounters& tally() noexcept { return counters_; }
  /// What records this worker's calls; null: nothing ever does.
  [[nodiscard]] trace::Tap* tap() noexcept {
    return commons_.trace_recorder != nullptr ? &commons_.trace_recorder->tap(index_) : nullptr;
  }
  /// Begins a call that one of these calls is sent on by, by the tables that hold for that one. May
  /// end it at once.
  void forward(std::unique_ptr<Leg> leg, const InboundCall& arrival,
               std::shared_ptr<const Tables> tables, std::unique_ptr<Forwarding> forwarding);
  /// What new calls know of names; null: nothing.
  [[nodiscard]] const std::shared_ptr<const Names>& names() const noexcept { return names_; }
  /// The tables that new calls get.
  [[nodiscard]] const std::shared_ptr<const Tables>& tables() const noexcept { return tables_; }
  /// Hangs up a leg that has left its call, once the peer has answered `results` requests of ours.
  void see_off(std::unique_ptr<Leg> leg, std::uint32_t results);
  /// Destroys a farewell once its handler has returned.
  void forget(Farewell& farewell);
  /// Gives `leg` to the call of that dialog, to take the place of the dialog's leg, which must be
  /// of the gateway or phone `party`; without such a call the leg is rejected with 481.
  void join(const DialogName& dialog, const std::string& party, std::unique_ptr<Leg> leg);
  /// Puts who asks for a place of a call of this worker there, or rejects its leg (RFC 3891
  /// section 3, T-10).
  void stand_in(const StandInOrder& order, StandIn in);
  /// Keeps a relay until it asks to be forgotten.
  LegRelay& keep(std::unique_ptr<LegRelay> relay);
  void forget(LegRelay& relay);
  /// For relays. The leg of a call that stands in another one from now on, and is no call of its
  /// own any more; null: it is not there.
  [[nodiscard]] std::unique_ptr<Leg> take_leg(std::uint64_t call);
  /// A call does not get the place that it asked for.
  void refuse_place(std::uint64_t call, int status);
  /// Destroys a leg once its handler has returned.
  void retire(std::unique_ptr<Leg> leg);
  /// Forgets a call, and destroys it once its handler has returned.
  void remove(std::uint64_t id);
  /// Appends to the journal; what it does not take is counted and logged, never thrown away
  /// silently. Returns the record's sequence, 0 when it was not taken.
  std::uint64_t journal(cdr::RecordType type, std::string payload) noexcept;
  /// The same for a record that no money hangs on: given up, and counted, when the disk has failed
  /// for so long that what waits for it must be left to the others.
  std::uint64_t journal_if_room(cdr::RecordType type, std::string payload) noexcept;
  /// Calls Call::on_durable() of the call once the record is on disk; never from inside this call.
  void await_durable(std::uint64_t sequence, std::uint64_t call_id);
  /// Serves what became durable. Posted by the host after a commit while is_awaiting() is true.
  void on_durable();
  /// Whether calls wait for a commit. Threading: thread-safe.
  [[nodiscard]] bool is_awaiting() const noexcept { return awaiting_.load(); }

 private:
  void on_lookup(lrn::Waiter waiter, const std::optional<LrnRecord>& record) override;
  Call& add_call(std::unique_ptr<Leg> leg, const InboundCall& arrival,
                 std::shared_ptr<const Tables> tables);
  void on_second();
  void check_vendors();
  void attend_to_phones();
  void tell_vendor_change(const CheckedAddress& address);
  void tell_uplink_change(const UplinkOrder& order, const UplinkPlace& place, int status);

  const unsigned index_;
  io::Loop& loop_;
  Random& random_;
  Commons& commons_;
  LegFactory* legs_ = nullptr;
  std::unique_ptr<HealthCheck> vendor_check_;  // of the first worker, as the next three
  std::unique_ptr<Uplinks> uplinks_;
  std::unique_ptr<NatKeeper> nat_keeper_;
  std::unique_ptr<PhoneCheck> phone_check_;
  std::shared_ptr<const Tables> tables_;
  std::shared_ptr<const Names> names_;
  std::uint64_t next_id_ = 1;
  lrn::Lookups lookups_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls_;
  std::vector<std::unique_ptr<Farewell>> farewells_;  // each for farewell_us at most
  std::vector<std::unique_ptr<LegRelay>> relays_;     // each of a call that holds a line
  struct Awaited {
    std::uint64_t sequence;
    std::uint64_t call_id;
  };
  std::deque<Awaited> awaited_;  // in order of sequence; at most one entry for each call
  std::atomic<bool> awaiting_{false};
  WorkerCounters counters_;
  Timer second_;
};

}  // namespace tandem::call
