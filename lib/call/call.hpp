// One call: an inbound leg, one attempt after the other on outbound legs, and what it takes and
// owes meanwhile.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "call/attempt_stage.hpp"
#include "call/choice.hpp"
#include "call/fork.hpp"
#include "call/identity.hpp"
#include "call/key_input.hpp"
#include "call/media_path.hpp"
#include "call/redirection.hpp"
#include "call/service.hpp"
#include "call/shadow.hpp"
#include "call/stages.hpp"
#include "call/stand_in.hpp"
#include "call/transfer.hpp"
#include "call/worker.hpp"
#include "phone/ringing.hpp"
#include "tandem/call.hpp"
#include "tandem/cdr.hpp"

namespace tandem::call {

/// Threading: loop-bound. Ownership: belongs to its worker; ends itself through Worker::remove().
class Call final : public LegEvents {
 public:
  Call(Worker& worker, std::uint64_t id, std::unique_ptr<Leg> leg, const InboundCall& arrival,
       std::shared_ptr<const Tables> tables);
  ~Call() override;

  /// Judges the call and tries the first vendor. May end the call at once. `forwarding`: how a call
  /// came to be that another one is sent on by; null: it arrived.
  void begin(const InboundCall& arrival, std::unique_ptr<Forwarding> forwarding);
  void answer_policy(const PolicyAnswer& answer);
  /// What was asked for with waiter_of().
  void take_lookup(bool is_caller, const std::optional<LrnRecord>& record);
  /// The answer record is on disk: the caller may be told.
  void on_durable();
  /// Ends the call from this side, whatever state it is in.
  void end_by_server(Reason reason);
  /// Once a second while answered: media watch and interim marks.
  void on_second(std::int64_t now_us);
  /// What the relay saw: keys, loss.
  void on_media(const MediaEvent& event);
  /// Begins or ends its recording; nothing happens when it is so already. Errors: wrong_state (not
  /// answered, or no recorder), not_found (no relayed audio), and those of MediaRecorder::record().
  Result<void> record(bool on);
  /// What the host orders of a call that it serves (T-17). `what`: one that check() accepts.
  /// Errors: wrong_state (it is not served, or not ready), not_found, limit, and those of playing.
  Result<void> order(const ServiceOrder& what);
  [[nodiscard]] CallView view() const;
  [[nodiscard]] bool is_answered() const noexcept { return state_ == CallState::answered; }

  [[nodiscard]] bool has(const Leg& leg) const noexcept {
    return inbound_.get() == &leg || trial_.leg.get() == &leg || is_branch(leg);
  }
  /// Another call leads somebody to this one, in the place of the leg `there` (T-05).
  [[nodiscard]] bool adopt(Leg& there, std::string_view party, std::unique_ptr<Leg>& leg);

  /// `in` shall take the place of `there`, a leg of this answered call (RFC 3891). 0: it has taken
  /// `in.leg`; else the status to refuse it with.
  [[nodiscard]] int replace(Leg& there, StandIn& in);
  /// The same for who is being called; `there`: who that must be, null: whoever it is (T-10).
  [[nodiscard]] int pick_up(const Leg* there, StandIn& in);
  /// This call stands in another one: it is over without a record, and its leg goes there.
  [[nodiscard]] std::unique_ptr<Leg> give_leg();
  /// It does not.
  void refuse_place(int status);

  void on_progress(Leg& leg, const Progress& progress) override;
  void on_answer(Leg& leg, const Answer& answer) override;
  void on_failure(Leg& leg, const Failure& failure) override;
  void on_load(Leg& leg, const OverloadFeedback& feedback) override;
  void on_cancel(Leg& leg, const Release& release) override;
  void on_acknowledged(Leg& leg, const SessionBody& body) override;
  void on_confirmed(Leg& leg, const SessionBody& body) override;
  void on_release(Leg& leg, const Release& release) override;
  void on_reoffer(Leg& leg, const Reoffer& reoffer) override;
  void on_reoffer_result(Leg& leg, int status, const SessionBody& body) override;
  void on_request(Leg& leg, const DialogRequest& request) override;
  void on_request_result(Leg& leg, int status, const SessionBody& body) override;

 private:
  static constexpr std::uint32_t no_vendor = 0xffffffff;

  /// One try on one vendor.
  struct Trial {
    std::unique_ptr<Leg> leg;
    const Rate* rate = nullptr;               // vendor's; null: not rated
    route::AddressHealth* address = nullptr;  // null: called at `contact`
    const route::Place* place = nullptr;      // of the vendor's name; of context_.names
    std::unique_ptr<phone::Contact> contact;
    std::unique_ptr<Redirection> redirection;  // null: it was not sent elsewhere
    VendorLease lease;
    std::int64_t started_us = 0;  // monotonic
    SocketAddress destination;    // where the leg calls; port 0: a call of ours
    std::uint32_t vendor = 0;
    route::TriedPlaces tried_places = 0;
    AttemptStage stage = AttemptStage::none;
    bool is_forward = false;    // to a target of the phone that was called
    bool is_elsewhere = false;  // a redirection led to a host that is not the vendor's
    bool has_ringing = false;
    bool has_sdp = false;
    bool awaits_answer = false;  // of the caller, to the offer in a provisional response
    bool has_answer = false;     // it was given
  };

  /// Several that are called at once, as one leg; each has its attempt.
  struct Branches final : ForkOwner {
    struct One {
      Trial trial;                           // without its leg, which the fork has
      std::int64_t ring_end_us = INT64_MAX;  // of a target
      route::LineLease line;                 // of the phone that sends on
    };
    Branches(Call& owner, std::size_t first) noexcept : call(owner), first_attempt(first) {}
    std::int64_t branch_due_us(std::size_t branch, AttemptStage stage) override {
      return call.branch_due_us(branch, stage);
    }
    Reason overdue_reason(AttemptStage stage) const noexcept override {
      return call.overdue_reason(stage);
    }
    void on_branch_over(std::size_t branch, const Failure& failure, Reason reason) override {
      call.on_branch_over(branch, failure, reason);
    }
    // These two may end the object.
    void on_branch_answer(std::size_t branch, const Answer& answer) override {
      call.on_branch_answer(branch, answer);
    }
    void on_fork_over(std::size_t best, const Failure& failure, Reason reason) override {
      call.on_fork_over(best, failure, reason);
    }

    Call& call;
    Fork* fork = nullptr;             // the call has it in the place of a leg
    const std::size_t first_attempt;  // in attempts_; those of the others follow
    std::vector<One> all;             // by branch
  };

  /// Why a vendor was not tried, and what a caller is told when none was.
  struct Skip {
    Reason reason;
    int sip_status;
  };

  /// How a call ended, before it becomes a record.
  struct Ending {
    Reason reason = Reason::none;
    ReleaseSide side = ReleaseSide::server;
    int end_code = 0;
    int sip_status = 0;
    int q850_cause = 0;
  };

  /// Where a redirect server sends the call (I-03).
  struct Directions {
    struct One {
      std::uint32_t vendor;
      Number callee, caller;  // caller empty: as it is
    };
    Number routed;  // before
    std::vector<One> all;
    std::size_t next = 0;
    std::optional<RouteCandidate> candidate;  // whose turn it is
  };

  /// The last try, as the customer is told of it.
  struct LastFailure {
    Failure failure;
    Reason reason = Reason::none;
    bool is_from_vendor = false;  // else a time limit of ours, or a vendor that was not reached
    HeaderCopies headers;
  };

  /// What the caller's 200 will say while the answer record is on its way to the disk.
  struct PendingAnswer {
    std::string type, body;
    HeaderCopies headers;
  };

  /// What is played to the caller before an answer, or in the place of one (M-13, M-14).
  struct EarlyAudio {
    explicit EarlyAudio(Call& call);
    Timer timer;  // until the ring tone begins, then until a prompt is over
    bool is_armed = false;
    bool is_announcing = false;    // what is left, before anybody is called
    std::optional<Ending> ending;  // what the prompt is about
    int q850_cause = 0;            // of the refusal behind it
    int retry_after_s = 0;
    HeaderCopies headers;
  };

  /// Of a call that is to be told before its end (M-14).
  struct Reminding {
    std::shared_ptr<const Reminder> reminder;
    std::int64_t time_ends_us = 0;                 // monotonic; 0: only money ends it
    std::int64_t look_us = 0;                      // not before
    std::int64_t seen_at_us = 0, seen_end_us = 0;  // the end of the money as it was foreseen then
    std::int64_t pace_permille = 1000, newest_pace_permille = 1000;
    bool was_heard = false;
  };

  /// What only a call that is being set up needs: calls talk for long, and by the ten thousand.
  struct Setup {
    Setup(Call& call, const InboundCall& arrival);

    std::size_t next_stage = 0;
    std::size_t next_candidate = 0;
    std::vector<std::uint32_t> tried;                   // vendors that got the call
    bool awaits_callee = false, awaits_caller = false;  // look-ups that are under way for us
    int max_forwards;
    std::string offer, offer_type;  // of the arriving call
    std::string caller_display;
    KeptHeaders kept_headers;
    std::size_t diversions = 0;                 // hops so far, as far as they are believed
    std::unique_ptr<ForwardHunt> forward_hunt;  // the phone that is called sends it on
    std::unique_ptr<Branches> branches;         // null: one is called at a time
    route::LineLease forward_line;              // of that phone, while a target is tried
    std::string early_answer;        // last description that went to the caller before the answer
    std::optional<Skip> first_skip;  // of the best candidate that was passed over
    std::unique_ptr<Directions> directions;  // null: no redirect server has decided
    std::size_t asked_servers = 0;           // redirect servers, each with an attempt (I-03)
    std::size_t choices = 0;                 // in choices_
    LastFailure last_failure;
    std::int64_t deadline_us = 0;  // for ringing or an answer (P-19); 0: none
    std::optional<PendingAnswer> pending_answer;
    std::optional<Release> early_release;  // of a vendor that hung up meanwhile
    bool awaits_acknowledgement = false;   // of the caller, before it may be told of the answer
    std::unique_ptr<StandInOrder> place;   // that the caller asks for; null: none by a dialog
    LegRelay* relay = nullptr;             // of who waits for it; null: nobody does
    std::unique_ptr<phone::RingingBoard::Entry> ringing;  // null: nobody may pick it up
    std::unique_ptr<EarlyAudio> early_audio;              // null: nothing is or will be played
    std::int64_t announced_us = 0;  // what was left took so long to say, before anybody was called
    Timer timer;  // policy deadline, then the attempt's progress timers, then the disk's
  };

  [[nodiscard]] const Parameters& parameters() const noexcept {
    return context_.tables->parameters;
  }
  /// Whom the host takes the place of in a call that it serves (T-17).
  [[nodiscard]] static const Vendor& nobody() noexcept;
  [[nodiscard]] const Vendor& vendor() const noexcept {
    return trial_.vendor == no_vendor ? nobody() : context_.tables->vendors[trial_.vendor];
  }
  /// The vendor has answered, the caller does not know yet.
  [[nodiscard]] bool is_answer_pending() const noexcept {
    return setup_ != nullptr && setup_->pending_answer.has_value();
  }
  [[nodiscard]] Leg* other(const Leg& leg) noexcept;
  [[nodiscard]] MediaSide side_of(const Leg& leg) const noexcept;

  // Setting up.
  void announce();
  [[nodiscard]] Reason admission() const;
  bool meet_customer();
  void judge();
  [[nodiscard]] bool authenticate();
  void ask_policy();
  [[nodiscard]] bool look_up();
  void try_next_vendor();
  const RouteCandidate* take_candidate();
  bool try_next_candidate();
  void try_vendor(CandidatePlan plan, VendorLease lease, std::string_view offer);
  /// Where a leg is placed, and as what it asks for the callee.
  struct Placement {
    std::string_view transport;
    std::string_view request_uri = {};  // "": made of callee and destination
    FlowId flow = {};
    SocketAddress local = {};
    std::string_view peer_name = {};      // as in OutboundCall
    std::string routes = {};              // the same
    std::string_view contact_place = {};  // the same
  };
  std::unique_ptr<Leg> place_leg(const Trial& trial, const Attempt& attempt,
                                 const Placement& placement, std::string_view offer,
                                 LegEvents& events);
  std::unique_ptr<Leg> place_leg(const Placement& placement, std::string_view offer) {
    return place_leg(trial_, attempts_.back(), placement, offer, *this);
  }
  Trial begin_trial(CandidatePlan& plan);
  [[nodiscard]] Placement placement_of(const Trial& trial) const;
  bool follow_redirect(const Failure& failure);
  bool try_next_place(const Failure& failure, Reason reason);
  // What a redirect server decides; call_redirect.cpp.
  [[nodiscard]] bool take_directions(const Failure& failure);
  const RouteCandidate* take_direction();
  void note_own_failure(Reason reason);
  void refuse_server_answer(Leg& leg);
  // Forwarding of the phone that is called; call_forward.cpp.
  bool forward_instead(Reason reason, int sip_status, bool has_contacts);
  bool try_next_target();
  [[nodiscard]] route::LineLease take_part(const Phone& phone);
  bool try_all_targets();
  Result<std::string> offer_to_target();
  std::unique_ptr<Leg> send_on(const Phone& phone, const ForwardTarget& target,
                               std::string_view offer, LegEvents& events);
  void arm_target_timer();
  [[nodiscard]] int& parts_left();
  // Several at once; call_branches.cpp.
  [[nodiscard]] bool is_branch(const Leg& leg) const noexcept;
  [[nodiscard]] bool rings_together(const CandidatePlan& plan) const noexcept;
  void ring_devices(CandidatePlan first, VendorLease lease, std::string_view offer);
  Fork& begin_branches();
  [[nodiscard]] std::int64_t branch_due_us(std::size_t branch, AttemptStage stage) const;
  void on_branch_over(std::size_t branch, const Failure& failure, Reason reason);
  void on_branch_answer(std::size_t branch, const Answer& answer);
  void on_fork_over(std::size_t best, const Failure& failure, Reason reason);
  void end_attempt(Attempt& attempt, int sip_status, int q850_cause, Reason reason);
  Result<std::string> prepare_media(std::uint32_t vendor_index, const SocketAddress& destination,
                                    bool hides_keys, bool is_registered);
  /// The same on any path, past log and trace.
  Result<std::string> lead_media(MediaPath& media, const Vendor& vendor,
                                 const SocketAddress& destination, bool is_registered);
  [[nodiscard]] Manners manners(const SipOptions& options) const noexcept;
  /// What is configured of both sides' descriptions, with that vendor or the present callee.
  [[nodiscard]] MediaSettingsPair media_settings(const GatewayConfig* callee) const noexcept;
  Result<std::string> pass_media(MediaSide from, SdpRole role, const SessionBody& body);
  // Where a party may be (S-01); call_geofence.cpp.
  [[nodiscard]] const Geofence* fence_of(MediaSide side) const noexcept;
  [[nodiscard]] Result<void> check_description(MediaSide from, const SessionBody& body) const;
  void look_for_strangers(std::int64_t now_us);
  /// Of who stands on that side of an answered call; null: another call, whose settings hold.
  [[nodiscard]] const SipOptions* options_of(MediaSide side) const noexcept;
  [[nodiscard]] RemoteRingback remote_ringback() const noexcept;
  /// The description of a progress as the caller may be shown it; "" for none.
  std::string pass_early_description(const Progress& progress);
  void pass_progress(const Progress& progress, const std::string& description);
  // What a caller hears before the answer; early_audio.cpp.
  [[nodiscard]] EarlyAudio& early_audio();
  [[nodiscard]] bool may_play() const;
  void arm_ring_tone();
  void on_early_audio();
  std::string begin_ring_tone();
  [[nodiscard]] bool play_prompt(const Ending& ending, int q850_cause, int retry_after_s,
                                 HeaderCopies headers = {});
  void end_prompt();
  // What is left, spoken; call_remaining.cpp.
  [[nodiscard]] bool announce_remaining();
  [[nodiscard]] bool pays_for_itself() const noexcept;
  void note_unspoken(const Error& error) const;
  [[nodiscard]] Result<AudioPlaylist> remaining_at_start() const;
  [[nodiscard]] Result<AudioPlaylist> remaining_of(Remaining what, std::int64_t left_s,
                                                   Amount money) const;
  void advance_stage(AttemptStage stage);
  [[nodiscard]] std::int64_t stage_limit_s(AttemptStage stage) const;
  [[nodiscard]] Reason overdue_reason(AttemptStage stage) const noexcept;
  void on_attempt_timeout();
  void attempt_failed(const Failure& failure, Reason reason);
  void replace_failure(Failure& failure, Reason& reason) const;
  [[nodiscard]] bool may_switch(const Failure& failure, Reason reason) const;
  void close_trial(int sip_status, int q850_cause, Reason reason);
  void give_up();
  void note_progress();
  void count_attempt(bool is_answered);
  void note_for_shadow(const Verdict& verdict);
  void note_ratios();
  void note_passed_over(const CandidatePlan& plan);
  void note_choice(const CandidatePlan& plan, Reason passed_over, std::string_view rule);

  // Answered.
  void refuse_answer(Leg& leg, std::string_view why, Reason reason = Reason::CodecMismatch);
  void answer_as_before(Leg& waiting);
  void answer_as_before(Leg& waiting, std::string_view offer);
  void record_answer();
  void begin_talk();
  void arm_money(const MeterVerdict& customer, const MeterVerdict& agent);
  void on_money_timer();
  void on_max_timer();
  void look_for_silence(std::int64_t now_us);
  // The reminder of its end; call_reminder.cpp.
  [[nodiscard]] AudioPlaylist reminder_for(MediaSide side, std::int64_t left_s) const;
  void arm_reminder(std::int64_t ends_us);
  std::int64_t money_ends_us(std::int64_t now_us);
  void look_at_end(std::int64_t now_us);
  void remind(std::int64_t left_s);

  // Leading a party to somebody else; call_transfer.cpp.
  [[nodiscard]] std::unique_ptr<Leg>& leg_of(MediaSide side) noexcept;
  [[nodiscard]] ReferMode refer_mode(MediaSide side) const noexcept;
  /// It is on its way to take the transferor's place.
  [[nodiscard]] bool is_target(const Leg* leg) const noexcept {
    return leg != nullptr && transfer_ != nullptr && transfer_->target == leg;
  }
  /// Id of the gateway or phone that stood there at the answer.
  [[nodiscard]] const std::string& party_of(MediaSide side) const noexcept;
  [[nodiscard]] bool is_loop(MediaSide side) const noexcept;
  /// How a number is to be called.
  struct TransferPlan {
    std::shared_ptr<const Tables> tables;
    std::uint32_t payer = 0;  // index in their customers
    std::string offer, callee, referred_by;
  };
  [[nodiscard]] int judge_transfer(MediaSide side, Transfer::Order order, TransferPlan& plan);
  void transfer(Leg& leg, const DialogRequest& request);
  std::unique_ptr<Leg> begin_transfer(MediaSide side, Transfer::Order order, io::Loop& to);
  void accept_referral(Leg& leg, const Referral& referral);
  void call_target(std::unique_ptr<Leg> in, TransferPlan plan);
  [[nodiscard]] bool may_order(MediaSide side, const SocketAddress& source);
  [[nodiscard]] bool take_key(Leg& leg, const DialogRequest& request);
  [[nodiscard]] KeyAction press_key(MediaSide side, char key, Leg* teller);
  void dial_by_keys(MediaSide side, const std::string& number, bool asks_first);
  void record_as_configured();
  void publish_loss(const MediaEvent& event);
  /// M-09: a key goes on in INFO to who has no way for it in its media.
  void tell_key(const MediaEvent& event);
  void publish_digit(MediaSide side, char digit, std::uint32_t duration_ms);
  void on_key_timer();
  [[nodiscard]] bool has_keys(MediaSide side) const noexcept;
  void lead_to_call(Leg& leg, const Referral& referral);
  [[nodiscard]] bool take_over(const Leg& leg);
  void tell_transferor(int status, bool is_final);
  void on_target_progress(const Progress& progress);
  void let_ring();
  void on_target_answer(const Answer& answer);
  void join();
  void lead_staying(const std::string& description);
  void finish_join();
  void rejoin();
  void tell_other(const Rejoin& done, std::string description);
  void give_up_rejoin();
  void start_again(Timer& timer);
  void on_join_result(Leg& staying, int status, const SessionBody& body);
  void take_own_reoffer(Leg& leg, int status, const SessionBody& body);
  std::unique_ptr<Leg> replace_transferor();
  void part_with_transferor();
  void finish_transfer();
  void give_back_transferor(int status);
  void abandon_transfer();
  [[nodiscard]] bool survives(Leg& released);

  // Speaking with the target first; call_consult.cpp.
  /// It is on hold while the other party speaks with somebody else.
  [[nodiscard]] bool is_waiting(const Leg* leg) const noexcept {
    return leg != nullptr && transfer_ != nullptr && transfer_->consultation != nullptr &&
           transfer_->consultation->waiting.get() == leg;
  }
  void begin_consultation();
  void consult();
  [[nodiscard]] bool is_asked_to_consult(const Leg& leg) const noexcept;
  void on_consult_result(Leg& leg, int status, const SessionBody& body);
  void let_talk(const std::string& heard);
  [[nodiscard]] bool is_loop_of_target(const Leg& leg) noexcept;
  void put_back_waiting();
  void end_consultation();
  void take_back_waiting(MediaSide side, Transfer& transfer, int status);
  void answer_waiting(Leg& leg, const Reoffer& reoffer);
  void note_said(MediaSide from, const SessionBody& body);
  void unsay(const Leg& asker);

  // What who waits hears; call_hold_tone.cpp.
  [[nodiscard]] AudioClip hold_tone_of(MediaSide side) const;
  [[nodiscard]] std::string hold_description();
  void play_hold_tone(const SessionBody& said);
  void let_wait();

  // The host in the place of a callee (T-17); call_service.cpp.
  [[nodiscard]] bool is_served() const noexcept {
    return service_ != nullptr && !service_->is_bridged;
  }
  void begin_service();
  void answer_service();
  void be_ready();
  void report(ServiceReport what);
  void await_order();
  void on_service_idle();
  Result<void> carry_out(const AnswerOrder& order);
  Result<void> carry_out(const PlayOrder& order);
  Result<void> carry_out(const StopOrder& order);
  Result<void> carry_out(const CollectOrder& order);
  Result<void> carry_out(const BridgeOrder& order);
  Result<void> carry_out(const HangUpOrder& order);
  void on_play_end();
  void end_play(ServiceReport::Why why);
  void on_service_media(const MediaEvent& event);
  void answer_served(Leg& leg, const DialogRequest& request);
  void press_service_key(char key);
  void collect(char key);
  void await_first_key();
  void on_key_time();
  void end_collection(ServiceReport::Why why);
  void reoffer_served(Leg& leg, const Reoffer& reoffer);
  void confirm_served(const SessionBody& body);
  void fail_bridge(int status);
  void finish_bridge();
  void stop_serving() noexcept;

  // Taking places in other calls, and giving them; call_stand_in.cpp.
  void ask_for_place();
  [[nodiscard]] bool may_stand_in(const StandIn& in, const std::string& party) const;
  [[nodiscard]] bool can_talk_with(const StandIn& in, const Vendor& phone);
  [[nodiscard]] const StandIn* stand_in(MediaSide side) const noexcept;
  /// The same, also on its way there; null while somebody else is being led there.
  [[nodiscard]] const StandIn* speaking_in(MediaSide side) const noexcept;
  /// Of the leg that the call arrived on, whoever stands there now.
  [[nodiscard]] std::string_view arrival_call_id() const noexcept;
  [[nodiscard]] std::string_view arrival_product() const noexcept;
  void note_ringing();
  void on_target_cancel();
  void take_back_staying(Leg& staying, int status);
  void note_stand_in(const StandIn& in, std::string_view party);

  // What a trace shows beside the messages (O-12); call_trace.cpp.
  void trace_arrival();
  void trace_stages(const std::vector<StageRecord>& stages, const Verdict& verdict);
  void trace_choice(const CandidatePlan& plan, Reason passed_over, std::string_view rule);
  void trace_leg(const Leg& leg);
  void trace_attempt(const Attempt& attempt);
  void trace_answer();
  void trace_end(const Ending& ending, const Cdr& cdr);
  [[nodiscard]] trace::CallFacts trace_facts() const;
  void trace_note(std::string_view topic, std::string text);

  // Ending.
  void refuse(Reason reason, int sip_status, int retry_after_s = 0);
  void finish(const Ending& ending);
  [[nodiscard]] bool is_recorded(const Ending& ending) const noexcept;
  [[nodiscard]] std::string_view billed_callee() const noexcept;
  [[nodiscard]] Cdr make_cdr() const;
  void show_to_shadow(const Cdr& cdr);
  /// What the sides are charged by, for a call that talks until `until_us` (wall clock).
  [[nodiscard]] std::string customer_terms(std::int64_t answered_at_us,
                                           std::int64_t until_us) const;
  [[nodiscard]] std::string agent_terms(std::int64_t answered_at_us, std::int64_t until_us) const;
  [[nodiscard]] std::string vendor_terms(std::int64_t answered_at_us, std::int64_t until_us) const;
  [[nodiscard]] std::string payer_terms(const Payer& payer, const Rate* rate,
                                        std::int64_t answered_at_us, std::int64_t until_us,
                                        std::int64_t charged_s = 0,
                                        const PackageUse& use = {}) const;
  PackageUse settle(ChargeFacts& side, CallMeter& meter, const Payer& payer, const Rate* rate,
                    std::int64_t talk_time_ms, std::vector<LimitUse>& limits);
  void charge_sides(Cdr& cdr, cdr::EndRecord& record);
  void publish(Event::Kind kind, std::optional<Cdr> cdr = std::nullopt);

  Worker& worker_;
  const std::uint64_t id_;
  CallState state_ = CallState::arriving;
  bool is_announced_ = false;  // call_started was told
  bool is_over_ = false;
  bool is_traced_ = false;  // some trace may want it
  bool is_answer_recorded_ = false;
  bool is_offer_wanted_ = false;  // of the side that `reoffer_from_` asks, which has none itself
  bool is_own_reoffer_ = false;   // of `reoffer_from_`, but the call alone wants to know
  bool hides_keys_[2] = {};       // by MediaSide: signalling with it is encrypted (RFC 4568, 8)
  CallContext context_;

  std::unique_ptr<Setup> setup_;  // null once answered
  std::unique_ptr<Leg> inbound_;
  Trial trial_;
  std::unique_ptr<Forwarding> forwarding_;     // null: the call arrived
  std::shared_ptr<int> parts_left_;            // of Forwarding
  std::unique_ptr<ShadowNotes> shadow_notes_;  // null: no shadow wants to know of the call
  std::vector<Attempt> attempts_;
  std::string choices_;                  // as its record has them
  std::string caller_raw_, callee_raw_;  // as they came
  std::string callee_product_;
  std::unique_ptr<const std::string> privacy_;  // that the caller asked for (RFC 3323), once
                                                // answered; null: none
  std::string own_host_;                        // of this switch, where the call arrived
  MediaPath media_;
  Leg* reoffer_from_ = nullptr;  // waits for the other side's answer to its re-INVITE or UPDATE
  Leg* ack_to_ = nullptr;        // waits for the answer that the next ACK of the other side brings

  std::unique_ptr<Transfer> transfer_;  // null: nobody is led elsewhere
  std::unique_ptr<KeyInput> keys_;      // null: nobody is ordering by keys
  std::unique_ptr<Service> service_;    // null: the host did not serve it
  std::unique_ptr<Rejoin> rejoin_;      // null: who was led there is known there
  /// By MediaSide, the caller's first; null: nobody stands in the place of another one.
  std::unique_ptr<std::array<std::unique_ptr<StandIn>, 2>> stand_ins_;
  /// Some phones send a key both ways: the way of the first one of a side counts.
  enum class KeyWay : std::uint8_t { none, info, rtp };
  static bool is_way(std::array<KeyWay, 2>& ways, MediaSide side, KeyWay way) noexcept;
  // By MediaSide, the caller's first. Of keys that may order; told_way_ is of all that are told.
  std::array<KeyWay, 2> key_way_{};
  std::array<bool, 2> is_joined_{};           // to another call, in place of who was there
  std::array<std::uint32_t, 2> referrals_{};  // that who is there has sent
  // Requests that a leg has not answered yet: those of the other side, and behind them those that
  // nobody waits for.
  std::array<std::uint32_t, 2> passed_requests_{}, own_requests_{};
  std::array<KeyWay, 2> told_way_{};

  std::unique_ptr<Reminding> reminding_;    // null: its end is not announced
  CallMeter meter_;                         // of the customer
  std::unique_ptr<CallMeter> agent_meter_;  // null: no agent pays
  std::int64_t answered_us_ = 0, answered_wall_us_ = 0;
  std::int64_t silence_from_us_ = 0;  // earlier silence does not count: the answer, the last hold
  std::int64_t ended_us_ = 0, ended_wall_us_ = 0;
  std::int64_t pdd_ms_ = -1;
  std::int64_t next_mark_us_ = 0;

  Timer money_timer_;
  Timer max_timer_;
};

}  // namespace tandem::call
