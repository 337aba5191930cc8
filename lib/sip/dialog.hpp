// One call leg of SIP: its INVITE transaction, its dialog (RFC 3261 section 12) and what happens in
// it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/leg.hpp"
#include "sip/content.hpp"
#include "sip/message.hpp"
#include "sip/path.hpp"
#include "sip/pool.hpp"
#include "sip/provisional.hpp"
#include "sip/session_timer.hpp"
#include "sip/token.hpp"
#include "sip/transaction.hpp"
#include "sip/writer.hpp"

namespace tandem::sip {

class StackWorker;
class SipLeg;

/// What a request inside a dialog is written from (RFC 3261 section 12.2.1.1).
struct DialogHead {
  std::string_view target;  ///< Remote target: the URI of the peer's Contact.
  std::string_view from;    ///< Our name and tag.
  std::string_view to;      ///< Theirs.
  std::string_view call_id;
  std::string_view routes;               ///< Route set: one name-addr a line; "" for none.
  std::string_view via_parameters = {};  ///< Behind ours, each with its ';'.
};
/// Request line, Via, Max-Forwards, From, To, Call-ID, CSeq, Route. A first route without `lr` is a
/// strict router: it becomes the Request-URI and the target goes last.
void write_dialog_request(MessageWriter& writer, StackWorker& worker, const DialogHead& head,
                          std::string_view method, std::uint32_t cseq, const Path& path,
                          std::string_view branch, int max_forwards = 70);
/// Reason of a CANCEL when somebody else has taken the call (RFC 3326 section 2, T-10).
inline constexpr std::string_view elsewhere_reason =
    "SIP;cause=200;text=\"Call completed elsewhere\"";
/// A Reason header with a Q.850 cause, or of `answered_elsewhere` (RFC 3326); nothing for 0.
void write_reason(MessageWriter& writer, int q850_cause) noexcept;
/// Where such a request goes: to the first route when there is a route set with a numeric address,
/// else along `direct` (P-03 mode 0: the socket address of the peer).
Path dialog_path(StackWorker& worker, std::string_view routes, const Path& direct);
/// The Record-Route values of a message, one a line; `is_reversed` for the side that sent the
/// request.
void collect_routes(const Message& message, bool is_reversed, std::string& out,
                    HeaderId which = HeaderId::record_route);

/// A leg's state on the wire. Outlives its SipLeg until every transaction that may still need it
/// has ended: a leg that is let go of in any state is ended properly by its dialog.
///
/// Threading: loop-bound. Ownership: lives in a slot of its worker, which its tag names; ends
/// itself.
class Dialog final : public TransactionUser {
 public:
  enum class Role : std::uint8_t { inbound, outbound };
  enum class State : std::uint8_t {
    early,      ///< No final response to the first INVITE yet.
    cancelled,  ///< Outbound: given up, CANCEL sent or waiting for a provisional response.
    answered,   ///< 2xx sent, ACK not here (inbound); 2xx here, ACK waits for its body (outbound).
    confirmed,
    ending,  ///< Over for the user; a BYE of ours is, or shall be, under way.
    over,
  };

  Dialog(std::uint32_t slot, StackWorker& worker, Role role);
  ~Dialog() override;
  Dialog(const Dialog&) = delete;
  Dialog& operator=(const Dialog&) = delete;

  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  [[nodiscard]] Token::Text tag() const noexcept;
  [[nodiscard]] std::uint64_t random() const noexcept { return random_; }
  /// Call-ID and the sender's tag of a request are those of this dialog (RFC 3261 section 12.2.2).
  [[nodiscard]] bool matches(const Message& request) const noexcept;

  // Called by the worker.
  /// Takes an INVITE outside any dialog; gives the leg that speaks for this dialog.
  std::unique_ptr<Leg> accept(const Message& invite, ServerTransaction& transaction);
  /// The INVITE that was accepted has a Replaces header that names no dialog.
  void note_bad_replaces() noexcept { arrival_->has_bad_replaces = true; }
  /// After the receiver of calls returned: says 100 when it has not answered yet (RFC 3261
  /// section 17.2.1).
  void finish_arrival();
  std::unique_ptr<Leg> call(const OutboundCall& call, LegEvents& events);
  /// A request with our tag, not an ACK and not a CANCEL.
  void on_request(const Message& request, const Path& from);
  void on_ack(const Message& ack, const Path& from);
  /// `transaction`: the one that the CANCEL means.
  void on_cancel(const Message& cancel, const ServerTransaction& transaction);

  // Called by the leg; see base/leg.hpp.
  void set_events(LegEvents& events) noexcept { events_ = &events; }
  AuthResult authenticate(const Credentials& credentials);
  int set_manners(const Manners& manners);
  [[nodiscard]] std::string claimed_user(std::string_view realm) const;
  void progress(int status, const SessionBody& body);
  void answer(const SessionBody& body, const std::vector<PassedHeader>& headers);
  void reject(const Refusal& refusal);
  void drop();
  void cancel();
  void acknowledge(const SessionBody& body);
  void answer_progress(const SessionBody& body);
  void reoffer(const Reoffer& reoffer);
  void answer_reoffer(int status, const SessionBody& body);
  void request(const DialogRequest& request);
  void answer_request(int status, const SessionBody& body);
  void release(int q850_cause);
  void leave();  ///< The leg is destroyed.
  [[nodiscard]] bool is_over() const noexcept {
    return state_ >= State::ending || (state_ == State::cancelled && is_silent_);
  }
  [[nodiscard]] bool is_reliable() const noexcept { return reliability_ != nullptr; }
  void forget_progress() noexcept {
    if (reliability_ != nullptr) reliability_->waiting.clear();
  }
  [[nodiscard]] bool awaits_acknowledgement() const noexcept {
    return reliability_ != nullptr && reliability_->is_unacknowledged &&
           reliability_->is_describing && state_ == State::early;
  }
  [[nodiscard]] bool has_early_session() const noexcept {
    return reliability_ != nullptr && state_ == State::early &&
           (reliability_->has_session || !reliability_->description.empty());
  }
  [[nodiscard]] bool has_session_timer() const noexcept {
    return session_ != nullptr && session_->agreement.is_mutual;
  }
  [[nodiscard]] const SocketAddress& remote() const noexcept { return path_.remote; }
  [[nodiscard]] std::string_view call_id() const noexcept { return call_id_.view(); }
  [[nodiscard]] std::string_view product() const noexcept { return product_.view(); }
  [[nodiscard]] std::string replaces() const;

  /// How far it is, when its peer means it by that name.
  [[nodiscard]] DialogMatch match(const DialogName& name) noexcept;
  /// Whether its peer means it by that name, and it is answered and not over.
  [[nodiscard]] bool is_up_as(const DialogName& name) const noexcept;
  [[nodiscard]] Leg* leg() const noexcept;

  // TransactionUser.
  [[nodiscard]] bool owns(const Message& response) const noexcept override;
  void on_response(ClientTransaction& transaction, const Message& response,
                   const Path& from) override;
  void on_no_response(ClientTransaction& transaction, bool is_transport) override;
  void on_no_ack(ServerTransaction& transaction) override;
  void on_unanswered(ServerTransaction& transaction) override;

 private:
  // Keeps the dialog alive while it is in use, and lets it go afterwards if it has ended.
  class Entry {
   public:
    explicit Entry(Dialog& dialog) noexcept : dialog_(dialog) { ++dialog_.users_; }
    ~Entry() {
      if (--dialog_.users_ == 0) dialog_.finish();
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Dialog& dialog_;
  };
  struct QueuedRequest {
    std::string method, content_type, body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  static constexpr std::size_t requests_max = 8;  // waiting, each way
  // Made where the sides speak in other requests than those about the session.
  struct Requests {
    std::vector<ServerTransaction*>
        servers;                        // in order of arrival; null: answered for want of an answer
    std::vector<QueuedRequest> queued;  // of ours, behind `request_client_`
  };

  // What the first INVITE asks for, and whether it may.
  struct Arrival {
    TimerOffer timer;
    ReliableOffer reliable;
    Bytes authorization;                 // Authorization values, a line each, after the Request-URI
    std::int16_t unmannerly_status = 0;  // what set_manners() wants to refuse with
    std::string_view unmannerly_line;    // says why, in that refusal
    bool has_bad_replaces = false;       // which matters to who may replace others
  };

  // What the peer's challenges are answered with (P-04), and how often that was done.
  struct Login {
    Bytes username, password;
    Bytes authorization;          // the header line of the INVITE, for its ACK
    std::uint8_t challenges = 0;  // answered for the request in work
    std::uint8_t challenges_max = 0;
    std::int64_t challenged_us = 0;  // when the first of them came
    std::int64_t time_us = 0;        // for all of them
  };

  // Session timers (RFC 4028); dialog_session.cpp. Made where one is spoken.
  struct Session {
    explicit Session(Dialog& dialog, const SessionWatch& watched) noexcept
        : watch(watched), timer(Timer::member<&Dialog::on_session_timer, Dialog>(), &dialog) {}
    SessionWatch watch;
    TimerAgreement agreement;  // interval 0: none yet
    TimerOffer offer;          // of the request that waits for our answer
    Timer timer;
    std::int64_t gives_up_at_us = 0;  // monotonic
    std::uint32_t least_s = 0;        // Min-SE that the peer told us
    std::uint8_t corrections = 0;     // 422 answered by a larger interval
    bool peer_has_update = false;
    bool is_refreshing = false;  // reoffer_client_ is a refresh of ours
    bool is_at_end = false;      // the timer is for the end of the session, not for a refresh
    Bytes description;           // ours, for a peer without UPDATE
    Bytes offered;               // ours that the peer has not agreed to yet
  };

  // Reliable provisional responses (RFC 3262); dialog_provisional.cpp. Made where they may be sent.
  struct Branch {  // of an INVITE of ours that forked
    Bytes tag, to, target, routes, description;
    std::uint32_t rseq = 0;      // of the last response that was taken
    bool awaits_answer = false;  // its offer is with our user, and PRACK brings what that says
  };
  struct Provisional {
    int status = 0;
    std::string content_type, body;
  };
  struct Reliability {
    explicit Reliability(Dialog& dialog) noexcept
        : timer(Timer::member<&Dialog::on_provisional_timer, Dialog>(), &dialog) {}
    bool has_session = false;  // offer and answer have been exchanged before the final response
    bool peer_has_update = false;
    // Inbound.
    bool is_unacknowledged = false;  // no PRACK has come for `rseq`
    bool is_describing = false;      // the response `rseq` has a description ...
    bool is_offering = false;        // ... which is an offer
    std::uint32_t rseq = 0;          // of the last response; 0: none
    std::uint32_t invite_cseq = 0;
    std::int64_t interval_us = 0, gives_up_at_us = 0;  // of its repetitions
    Timer timer;
    std::vector<Provisional> waiting;
    Bytes description;  // that went to the caller
    Bytes held;         // what holds for it now
    // Outbound.
    std::vector<Branch> branches;
    std::vector<ClientTransaction*> pracks;
    Bytes asked_tag;                 // of the branch that has sent a request
    bool is_offer_answered = false;  // has_offer_ is true for that reason
  };

  // A message in the worker's buffer; sent before anything else is written there.
  struct Draft {
    char* begin;
    MessageWriter writer;
    [[nodiscard]] std::string_view view() const noexcept {
      const std::string_view written = writer.view();
      return {begin, static_cast<std::size_t>(written.data() + written.size() - begin)};
    }
  };
  /// Another request of ours, which may be challenged for itself.
  void forget_challenges() noexcept {
    if (login_ != nullptr) login_->challenges = 0;
  }
  /// Our header line of the first INVITE; "": it had none.
  [[nodiscard]] std::string_view authorization() const noexcept {
    return login_ == nullptr ? std::string_view() : login_->authorization.view();
  }
  Draft begin_response(const ServerTransaction& transaction, int status);
  /// False: it could not be written, and 100 or 500 went out instead.
  bool finish_response(ServerTransaction& transaction, int status, Draft& draft,
                       const SessionBody& body);
  /// A response without content to a request that is not kept waiting.
  void respond(ServerTransaction& transaction, int status, std::string_view extra_line = {},
               int retry_after_s = 0);
  ServerTransaction& open_server(const Message& request, const Path& from);
  /// The same for one that just arrived. With state, because its CSeq is used up: repeated it would
  /// look out of order.
  void refuse(const Message& request, const Path& from, int status,
              std::string_view extra_line = {}, int retry_after_s = 0);

  Requests& requests();
  [[nodiscard]] DialogHead head() const noexcept;
  [[nodiscard]] Path request_path() const;
  MessageWriter begin_request(std::string_view method, std::uint32_t cseq, const Path& path,
                              std::string_view branch, int max_forwards = 70);
  ClientTransaction* send_request(Method method, std::string_view name, const SessionBody& body,
                                  const std::vector<PassedHeader>& headers, int q850_cause);
  void send_ack(ClientTransaction& transaction, const SessionBody& body);
  void send_bye(int q850_cause);
  void send_next_request();
  /// A request once more with a new CSeq; nullptr when it could not be written. `credentials`: the
  /// header line it gets.
  ClientTransaction* repeat(ClientTransaction& transaction, const Message& own,
                            std::string_view credentials);
  /// Repeats a request with credentials (RFC 3261 section 22.2); nullptr when that is of no use.
  ClientTransaction* retry_with_credentials(ClientTransaction& transaction,
                                            const Message& response);
  /// `is_secure`: as "sips:", which who spoke so must be answered with (RFC 3261 sections 8.1.1.8
  /// and 12.1.1).
  void set_contact(std::string_view user, bool is_secure);
  [[nodiscard]] std::string_view allowed() const noexcept;  // the Allow line

  /// Q.850 cause of a message, where causes are listened to; 0: none.
  [[nodiscard]] int heard_cause(const Message& message) const noexcept {
    return uses_reason_ ? q850_cause(message) : 0;
  }

  void write_session(MessageWriter& writer) const noexcept;             // of an INVITE or UPDATE
  void agree_on_session(const Message& response);                       // a 2xx to one of ours
  void answer_session(MessageWriter& writer, const TimerOffer& offer);  // in a 2xx to one of theirs
  void start_session();
  [[nodiscard]] bool needs_description(const SessionBody& body) const noexcept;
  void keep_description(const SessionBody& body);
  void refresh_session();
  void finish_refresh(const ClientTransaction& transaction, const Message& response);
  void start_session_timer(std::int64_t delay_us);
  void on_session_timer();
  /// Repeats a request with the interval that a 422 asks for; nullptr when that is of no use.
  ClientTransaction* retry_with_interval(ClientTransaction& transaction, const Message& response);
  void keep_sent_description(const ClientTransaction& transaction);

  void write_rel100(MessageWriter& writer) const noexcept;  // of the first INVITE
  void progress_reliably(int status, const SessionBody& body);
  void send_provisional(int status, const SessionBody& body);
  void send_next_provisional();
  void on_provisional_timer();
  void on_prack(const Message& request, const Path& from);
  void take_prack_offer(ServerTransaction& transaction, const SessionBody& body);
  void keep_session(ServerTransaction& prack);
  void stop_provisionals();  // the final response is about to be sent
  void end_early_session();  // there is none, or it refuses
  [[nodiscard]] bool may_change_early_session() const noexcept;
  [[nodiscard]] bool is_sent_reliably(const Message& response) const noexcept;
  /// False: not to be looked at, for it is a repetition or others are missing before it.
  bool take_provisional(ClientTransaction& invite, const Message& response, Progress& progress);
  void send_prack(ClientTransaction& invite, const Branch& branch, const SessionBody& body);
  void leave_other_branches(const Message& answer);
  void restart_branches() noexcept;  // the INVITE is sent once more
  [[nodiscard]] bool is_of_other_branch(const Message& request) const noexcept;
  [[nodiscard]] SessionBody described_by(std::string_view tag) const noexcept;
  void forget_prack(ClientTransaction& transaction) noexcept;

  void on_invite_response(ClientTransaction& transaction, const Message& response,
                          const Path& from);
  void on_reoffer_response(ClientTransaction& transaction, const Message& response);
  void on_request_response(ClientTransaction& transaction, const Message& response);
  void on_reoffer_request(const Message& request, const Path& from);
  void on_bye(const Message& request, const Path& from);
  void on_other(const Message& request, const Path& from);

  /// Takes the connection over which the peer speaks inside the dialog: the one before may be gone
  /// without a sign of it.
  void follow(const Path& from) noexcept;
  void set_target(const Message& message);
  [[nodiscard]] Path path_to(std::string_view target, std::string_view routes) const;
  void answer_over(ServerTransaction& transaction, const Via& via) const;
  [[nodiscard]] Via arriving_via() const noexcept;
  void set_product(const Message& message, HeaderId id);
  [[nodiscard]] LegEvents* events() const noexcept { return is_silent_ ? nullptr : events_; }
  void answer_pending();  // requests that wait for our answer get 487 (RFC 3261 section 15.1.2)
  void let_go(ClientTransaction*& transaction, std::string_view reason);
  [[nodiscard]] std::string cancel_reason() const;  // value of a Reason header; "" for none
  void fail(Failure failure);
  void end_from_here(int q850_cause);  // BYE, now or once the ACK has come
  enum class Loss : std::uint8_t { peer, transport, silence };
  void lose(int q850_cause, Loss loss);  // BYE and on_release
  void on_timer();
  void defer() noexcept;
  void finish();  // frees the dialog when nothing needs it any more
  [[nodiscard]] int retry_soon_s()
      const;  // for a Retry-After between 1 and 10 (RFC 3261 section 14.2)

  StackWorker& worker_;
  LegEvents* events_ = nullptr;
  SipLeg* leg_ = nullptr;
  std::uint64_t random_;
  Timer timer_;  // tells what must not be told from within a call of the user
  Bytes call_id_;
  Bytes local_;   // From or To value of ours, with our tag
  Bytes remote_;  // theirs, with their tag once known
  Bytes remote_tag_;
  Bytes target_;
  Bytes routes_;
  Bytes product_;
  Bytes contact_;  // our Contact value
  Path path_;
  ServerTransaction* invite_server_ =
      nullptr;  // the first INVITE, or the accepted re-INVITE that waits for its ACK
  ServerTransaction* reoffer_server_ = nullptr;  // unanswered re-INVITE or UPDATE
  ClientTransaction* invite_client_ = nullptr;   // the first INVITE
  ClientTransaction* reoffer_client_ = nullptr;
  Token unacknowledged_;  // accepted INVITE of ours whose ACK waits for acknowledge(); slot
                          // no_slot: none
  ClientTransaction* request_client_ = nullptr;
  ClientTransaction* bye_client_ = nullptr;
  std::unique_ptr<Requests> requests_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Arrival> arrival_;  // inbound, until it is answered
  std::unique_ptr<Login> login_;      // outbound; null: there are no credentials
  std::unique_ptr<Reliability> reliability_;
  std::uint32_t slot_;
  std::uint32_t local_cseq_ = 0;
  std::uint32_t remote_cseq_ = 0;
  std::uint16_t users_ = 0;  // Entry objects on the stack
  std::int16_t deferred_status_ = 0;
  std::int16_t deferred_request_status_ = 0;
  std::int16_t deferred_reoffer_status_ = 0;
  std::uint8_t release_cause_ = 0;
  ExtensionUse rel100_ = ExtensionUse::off;
  ReplyAddress reply_address_ = ReplyAddress::socket;
  RequestAddress request_address_ = RequestAddress::socket;
  Role role_;
  State state_ = State::early;
  bool uses_reason_ = true;
  bool takes_replaces_ = false;     // Replaces counts, of the peer and in what names this dialog
  bool requires_replaces_ = false;  // inbound: the first INVITE does
  bool asks_for_load_ = false;      // outbound: responses may say how loaded the peer is
  bool is_arriving_ = false;        // the receiver of calls has not returned yet
  bool has_offer_ =
      false;  // our INVITE or re-INVITE carried one, so its 2xx is acknowledged at once
  bool is_reoffer_empty_ = false;      // the re-INVITE that waits for our answer has no offer
  bool was_offerless_ = false;         // the INVITE that waits for its ACK had no offer
  bool is_reoffer_cancelled_ = false;  // the user's answer to a re-INVITE comes too late
  bool is_confirmation_deferred_ = false;
  bool is_deferred_transport_ = false;
  bool is_delivering_request_ = false;  // the user is being told of the last of those waiting
  bool is_silent_ = false;              // released by its user: no further events
  bool wants_bye_ = false;              // as soon as the ACK is here
  bool has_progress_ = false;           // inbound: a provisional response other than 100 was sent
  bool release_unwritten_ = false;      // the answer could not be written; the user is to be told
};

/// What the call room holds of a dialog.
class SipLeg final : public Leg {
 public:
  explicit SipLeg(Dialog& dialog) noexcept : dialog_(dialog) {}
  ~SipLeg() override { dialog_.leave(); }

  void set_events(LegEvents& events) noexcept override { dialog_.set_events(events); }
  AuthResult authenticate(const Credentials& credentials) override {
    return dialog_.authenticate(credentials);
  }
  int set_manners(const Manners& manners) override { return dialog_.set_manners(manners); }
  [[nodiscard]] std::string claimed_user(std::string_view realm) const override {
    return dialog_.claimed_user(realm);
  }
  void progress(int status, const SessionBody& body) override { dialog_.progress(status, body); }
  void answer(const SessionBody& body, const std::vector<PassedHeader>& headers) override {
    dialog_.answer(body, headers);
  }
  using Leg::reject;
  void reject(const Refusal& refusal) override { dialog_.reject(refusal); }
  void drop() override { dialog_.drop(); }
  void cancel() override { dialog_.cancel(); }
  [[nodiscard]] bool is_reliable() const noexcept override { return dialog_.is_reliable(); }
  void forget_progress() override { dialog_.forget_progress(); }
  [[nodiscard]] bool awaits_acknowledgement() const noexcept override {
    return dialog_.awaits_acknowledgement();
  }
  [[nodiscard]] bool has_early_session() const noexcept override {
    return dialog_.has_early_session();
  }
  void acknowledge(const SessionBody& body) override { dialog_.acknowledge(body); }
  void answer_progress(const SessionBody& body) override { dialog_.answer_progress(body); }
  void reoffer(const Reoffer& reoffer) override { dialog_.reoffer(reoffer); }
  void answer_reoffer(int status, const SessionBody& body) override {
    dialog_.answer_reoffer(status, body);
  }
  void request(const DialogRequest& request) override { dialog_.request(request); }
  void answer_request(int status, const SessionBody& body) override {
    dialog_.answer_request(status, body);
  }
  void release(int q850_cause) override { dialog_.release(q850_cause); }
  [[nodiscard]] bool is_over() const noexcept override { return dialog_.is_over(); }
  [[nodiscard]] bool has_session_timer() const noexcept override {
    return dialog_.has_session_timer();
  }
  [[nodiscard]] SocketAddress remote() const noexcept override { return dialog_.remote(); }
  [[nodiscard]] std::string_view call_id() const noexcept override { return dialog_.call_id(); }
  [[nodiscard]] std::string_view product() const noexcept override { return dialog_.product(); }
  [[nodiscard]] std::string replaces() const override { return dialog_.replaces(); }

 private:
  Dialog& dialog_;
};

}  // namespace tandem::sip
