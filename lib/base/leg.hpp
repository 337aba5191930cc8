// A leg: one side of a call, whatever its protocol. What `call` knows of SIP (and later H.323) is
// this header.
//
// Everything here is loop-bound: used only on the worker that owns the call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/registration.hpp"
#include "tandem/sip_options.hpp"
#include "tandem/values.hpp"

namespace tandem {

class Leg;

/// A header line that one side sent and the other may be shown, name and value without line end.
struct PassedHeader {
  std::string_view name;
  std::string_view value;
};

/// Headers that outlive the message they came with: name and value.
using HeaderCopies = std::vector<std::pair<std::string, std::string>>;
inline std::vector<PassedHeader> views_of(const HeaderCopies& headers) {
  std::vector<PassedHeader> views;
  views.reserve(headers.size());
  for (const auto& [name, value] : headers)
    views.push_back({name, value});
  return views;
}

/// A session description as it travels. Empty: none was sent.
struct SessionBody {
  std::string_view content_type;  ///< "application/sdp" for what this switch understands.
  std::string_view bytes;
  [[nodiscard]] bool empty() const noexcept { return bytes.empty(); }
};

/// What a telephone number in a URI says of number portability (RFC 4694).
struct Portability {
  bool is_dipped = false;           ///< `npdi`: it was looked up.
  std::string_view routing_number;  ///< `rn`; "": not ported, or not looked up.
};

/// Parties that an arriving call names beside its From and Request-URI.
enum class Party : std::uint8_t {
  to,
  remote,     ///< Remote-Party-ID.
  asserted,   ///< P-Asserted-Identity (RFC 3325).
  preferred,  ///< P-Preferred-Identity (RFC 3325).
  diverting,  ///< The first Diversion (RFC 5806).
};

/// Reads them on demand; valid while the call is being delivered.
class NamedParties {
 public:
  virtual ~NamedParties() = default;
  /// User part, unescaped; "" when the call does not name the party.
  virtual std::string_view user(Party party) = 0;
};

/// A dialog of ours, as its peer names it to others (RFC 3891 section 3).
struct DialogName {
  std::string_view call_id, own_tag, peer_tag;
};

/// Replaces header of an arriving call (RFC 3891): whose place in which dialog it asks for.
struct Replacement {
  DialogName dialog;
  bool is_early_only = false;  ///< Not of a dialog that is answered.
};

/// What an arriving call says of itself. Views end with the call that delivers them.
struct InboundCall {
  SocketAddress source;        ///< Where the datagram came from.
  SocketAddress local;         ///< Where it arrived.
  std::string_view own_host;   ///< What this switch calls itself there, as a URI has it.
  std::string_view transport;  ///< "udp", "tcp", "tls", "ws", "wss".
  /// It came over a WebSocket that any page may open: whose browser it was says `source`, and not
  /// who made it call.
  bool is_from_any_page = false;
  std::string_view call_id;       ///< RFC 3261 section 8.1.1.4.
  std::string_view request_user;  ///< User part of the Request-URI, unescaped, parameters cut off.
  Portability portability;        ///< Of the Request-URI.
  NamedParties* parties = nullptr;  ///< Null: it names none.
  std::string_view from_user;
  std::string_view from_display;
  std::string_view from_host;
  std::string_view user_agent;
  int max_forwards =
      70;  ///< As it arrived, at least 1; send one less onward (RFC 3261 section 16.6).
  SessionBody body;
  std::vector<PassedHeader>
      headers;  ///< All that are not of dialog, routing, transport or content.
  const Replacement* replaces = nullptr;  ///< Null: a call of its own.
};

/// A provisional response of the other side.
struct Progress {
  int status = 0;  ///< 100..199.
  SessionBody body;
  /// The body is an offer that the other side waits to be answered by answer_progress() (RFC 3262
  /// section 5).
  bool needs_answer = false;
};

/// The other side answered.
struct Answer {
  SessionBody body;
  std::string_view product;  ///< Server or User-Agent of the answer.
  SocketAddress remote;
  std::vector<PassedHeader> headers;
};

/// Whether an extension is spoken with a peer.
enum class ExtensionUse : std::uint8_t {
  off,
  allow,
  require,  ///< Who does not speak it is not spoken with.
};

/// What keeps watch that the peer of a leg is still there (P-18, RFC 4028).
struct SessionWatch {
  using Mode = ExtensionUse;
  Mode mode = Mode::off;
  std::int32_t interval_s = 600;    ///< 90..7200.
  std::int32_t refreshes = 2;       ///< Refreshes of ours in an interval.
  std::int32_t early_hangup_s = 0;  ///< So long before its end a silent session is given up.
};

/// Who a peer must prove to be when it is connected to over TLS (RFC 5922). Means nothing on other
/// transports.
struct TlsName {
  std::string_view name;    ///< A domain; "": the address that is connected to.
  bool is_verified = true;  ///< False: any certificate will do.
};

/// How a leg speaks with its peer.
struct Manners {
  SessionWatch watch;
  ExtensionUse rel100 = ExtensionUse::off;  ///< Reliable provisional responses (P-17, RFC 3262).
  bool uses_reason = true;                  ///< Reason headers are written and read (P-15).
  ReplyAddress reply_address = ReplyAddress::socket;        ///< P-02.
  RequestAddress request_address = RequestAddress::socket;  ///< P-03.
  TlsName tls;          ///< For connections that are made to the peer, by a callee's leg too.
  int auth_rounds = 6;  ///< Challenges that one request answers (P-04), ...
  std::int64_t auth_time_us = 10'000'000;  ///< ... for so long from the first one.
  bool takes_replaces = false;             ///< It may ask for the place of others (RFC 3891).
  bool asks_for_load = false;  ///< The peer is offered to tell how much it can bear (RFC 7339).
};

/// What a peer says of its load (RFC 7339, loss-based).
struct OverloadFeedback {
  unsigned loss_percent = 0;     ///< Of a hundred new requests so many shall not be sent; 0..100.
  std::int64_t validity_us = 0;  ///< For so long; 0: no longer.
  std::uint64_t sequence = 0;    ///< What has a lower one is older; 0: not said.
};

/// How a caller is shown beside the From (P-09).
struct Presentation {
  bool is_hidden = false;  ///< The From says "anonymous" (RFC 3323 section 4.1.1.3).
  bool has_asserted = false, has_preferred = false;  ///< The caller in P-Asserted-Identity, ...
  bool has_remote_party = false;                     ///< ... in Remote-Party-ID.
  std::string_view privacy;                          ///< Privacy header; "" for none.
};

/// A place that a redirection names.
struct RedirectTarget {
  std::string uri;        ///< Without headers; what a request to it says.
  std::string user;       ///< Unescaped, without parameters.
  SocketAddress address;  ///< Port 0 when the host is a name.
  SipTransport transport = SipTransport::udp;
  std::int32_t q_thousandths = 1000;
};

/// An attempt ended without an answer.
struct Failure {
  /// SIP status; 408 with `is_local` when nothing came, 503 with `is_local` on a transport error,
  /// 487 after cancel().
  int status = 0;
  bool is_local = false;      ///< Made here: no response arrived.
  bool is_transport = false;  ///< The transport failed (RFC 3261 section 8.1.3.1), ...
  bool is_untrusted =
      false;              ///< ... since one of the two ends did not take the other's certificate.
  int q850_cause = 0;     ///< From a Reason header (RFC 3326); 0: none.
  int retry_after_s = 0;  ///< RFC 3261 section 20.33; 0: none.
  std::string_view reason_phrase;
  std::vector<PassedHeader> headers;
  std::vector<RedirectTarget> targets;  ///< Of a 300, 301 or 302, the preferred first.
};

/// A final response that refuses an arriving call.
struct Refusal {
  int status = 503;       ///< 300..699.
  int q850_cause = 0;     ///< > 0 adds a Reason header.
  int retry_after_s = 0;  ///< > 0 adds a Retry-After header.
  std::vector<PassedHeader> headers;
};

/// The other side hung up, or the leg fell over.
struct Release {
  int q850_cause = 16;        ///< From a Reason header, else 16.
  bool is_transport = false;  ///< The other side could not be reached any more.
  bool is_silent = false;     ///< It did not refresh its session in time, or answer a refresh.
};

/// A request inside the call to change the session: re-INVITE or UPDATE.
struct Reoffer {
  enum class Method : std::uint8_t { reinvite, update };
  Method method = Method::reinvite;
  SessionBody body;  ///< Empty in a re-INVITE: the answer shall bring the offer.
};

/// Where a party wants the other one to be led instead of itself: a REFER (RFC 3515) that names one
/// number to call, or another call of the party's.
struct Referral {
  std::string_view user;         ///< Of Refer-To, unescaped, parameters cut off.
  DialogName replaces;           ///< In whose place it shall be led; call_id "": in nobody's.
  std::string_view referred_by;  ///< Value of Referred-By (RFC 3892); "": none.
  std::uint32_t sequence = 0;    ///< Names what is told of it later (RFC 3515 section 2.4.6).
};

/// Another request inside the call that is passed on: INFO, MESSAGE, NOTIFY, ...
struct DialogRequest {
  std::string_view method;
  SessionBody body;
  std::vector<PassedHeader> headers;
  const Referral* referral = nullptr;  ///< Of a REFER; null: it names no number that can be called.
  SocketAddress source = {};           ///< Where it came from; port 0: from this process.
};

/// What a leg tells its call. The handler may call any method of any leg but must not destroy the
/// leg that speaks; it hands it to the worker's `retire()` instead.
class LegEvents {
 public:
  virtual ~LegEvents() = default;

  // Outbound leg, before the answer.
  virtual void on_progress(Leg& leg, const Progress& progress) = 0;
  virtual void on_answer(Leg& leg, const Answer& answer) = 0;
  virtual void on_failure(Leg& leg, const Failure& failure) = 0;  ///< The leg is over.
  /// The peer told of its load, before what else its response says. Of legs that asked for it.
  virtual void on_load(Leg& leg, const OverloadFeedback& feedback);

  // Inbound leg.
  /// The caller gave up; 487 is sent; over. With `is_transport`: it did not acknowledge a
  /// provisional response in time, and 504 is sent (RFC 3262 section 3).
  virtual void on_cancel(Leg& leg, const Release& release) = 0;
  /// The provisional response that was sent last is acknowledged. `body`: the answer when it
  /// carried an offer. Of legs whose is_reliable() is true; others never say so.
  virtual void on_acknowledged(Leg& leg, const SessionBody& body);
  /// The ACK of the 2xx came. `body` is the answer when our 2xx carried the offer.
  virtual void on_confirmed(Leg& leg, const SessionBody& body) = 0;

  // Both, once answered.
  virtual void on_release(
      Leg& leg, const Release& release) = 0;  ///< BYE or loss of the peer; the leg is over.
  virtual void on_reoffer(Leg& leg, const Reoffer& reoffer) = 0;  ///< Answer with answer_reoffer().
  /// The other side's final response to reoffer(). `status` 200..699; the body holds an answer or,
  /// after an empty re-INVITE, the offer that acknowledge() must answer.
  virtual void on_reoffer_result(Leg& leg, int status, const SessionBody& body) = 0;
  virtual void on_request(Leg& leg,
                          const DialogRequest& request) = 0;  ///< Answer with answer_request().
  virtual void on_request_result(Leg& leg, int status, const SessionBody& body) = 0;
};

inline void LegEvents::on_acknowledged(Leg&, const SessionBody&) {}
inline void LegEvents::on_load(Leg&, const OverloadFeedback&) {}

/// Outcome of a check of credentials (RFC 3261 section 22, RFC 7616).
enum class AuthResult : std::uint8_t {
  verified,
  challenged,  ///< No usable credentials were given; a 401 was sent and the leg is over.
  failed,      ///< Credentials were given and are wrong; the leg still waits for an answer.
  exhausted,   ///< None were usable, and there is to be no further challenge; likewise.
};

/// As a cause of release(): the call was taken by somebody else (RFC 3326 section 2,
/// SIP;cause=200). Causes of Q.850 end at 127.
inline constexpr int answered_elsewhere = 200;

/// One side of a call. Made by the protocol room; destroyed by its owner, which ends it without
/// further events: an unanswered inbound leg is answered 500, an unanswered outbound one cancelled,
/// an answered one ended with BYE.
class Leg {
 public:
  virtual ~Leg() = default;
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

  /// Who is told. Replaces the former receiver.
  virtual void set_events(LegEvents& events) noexcept = 0;

  // Inbound leg before its final response. Calls out of turn are ignored.
  virtual AuthResult authenticate(const Credentials& credentials) = 0;
  /// Before progress() and answer(). 0, or a status 400..499 to refuse the peer with, which does
  /// not speak as it must: the caller of this does so.
  virtual int set_manners(const Manners& manners) = 0;
  /// Who the credentials that came with the call are of, those for `realm`, or with "" the first;
  /// "": there are none. Nothing is checked.
  [[nodiscard]] virtual std::string claimed_user(std::string_view realm) const = 0;
  virtual void progress(int status, const SessionBody& body) = 0;
  virtual void answer(const SessionBody& body, const std::vector<PassedHeader>& headers) = 0;
  virtual void reject(const Refusal& refusal) = 0;
  void reject(int status, int q850_cause, int retry_after_s) {
    reject(Refusal{status, q850_cause, retry_after_s, {}});
  }
  virtual void drop() = 0;  ///< Ends it without any response.
  /// Provisional responses reach the caller for certain (RFC 3262), so that one may carry an offer.
  [[nodiscard]] virtual bool is_reliable() const noexcept = 0;
  /// Provisional responses that are still to be sent are not sent any more.
  virtual void forget_progress() = 0;
  /// A description in a provisional response is not acknowledged yet: answer() is out of turn until
  /// on_acknowledged() (RFC 3262 section 3).
  [[nodiscard]] virtual bool awaits_acknowledgement() const noexcept = 0;

  // Outbound leg.
  virtual void cancel() = 0;  ///< Gives up before the answer; on_failure(487) follows, or nothing
                              ///< after release().
  /// Sends the ACK that a 2xx with an offer waits for. Legs whose request carried the offer
  /// acknowledge by themselves.
  virtual void acknowledge(const SessionBody& body) = 0;
  /// Answers the offer of a Progress that needs it; once for each.
  virtual void answer_progress(const SessionBody& body) = 0;

  // Both.
  /// Before the answer: a description has gone to the caller, or offer and answer have been
  /// exchanged with the callee, in provisional responses that are reliable. It stays then but for
  /// an UPDATE, which reoffer() may bring before the answer too.
  [[nodiscard]] virtual bool has_early_session() const noexcept = 0;

  // Both, once answered.
  virtual void reoffer(const Reoffer& reoffer) = 0;
  virtual void answer_reoffer(int status, const SessionBody& body) = 0;
  virtual void request(const DialogRequest& request) = 0;
  virtual void answer_request(int status, const SessionBody& body) = 0;
  /// Ends the leg in any state: BYE when answered, CANCEL when an attempt is under way, 487 when
  /// not yet answered. No event follows. `q850_cause` > 0 adds a Reason header.
  virtual void release(int q850_cause) = 0;

  [[nodiscard]] virtual bool is_over() const noexcept = 0;
  /// The peer of an answered call speaks session timers, so that its absence is noticed (RFC 4028).
  [[nodiscard]] virtual bool has_session_timer() const noexcept = 0;
  [[nodiscard]] virtual SocketAddress remote() const noexcept = 0;
  [[nodiscard]] virtual std::string_view call_id() const noexcept = 0;
  /// The product the other side named (User-Agent or Server); "" when it did not.
  [[nodiscard]] virtual std::string_view product() const noexcept = 0;
  /// Value of a Replaces header that means the peer's end of it (RFC 3891); "" where there is none.
  [[nodiscard]] virtual std::string replaces() const { return {}; }

 protected:
  Leg() = default;
};

/// An outbound leg to be.
struct OutboundCall {
  SocketAddress destination;
  std::string_view transport = "udp";
  std::string_view callee;  ///< User part of Request-URI and To.
  /// Host of Request-URI and To, with the port that was configured: the name that `destination` was
  /// found by (RFC 3263 section 4); "": `destination`.
  std::string_view peer_name;
  Portability portability;          ///< Goes into the Request-URI.
  std::string_view caller;          ///< User part of From and Contact.
  std::string_view caller_display;  ///< "" for none.
  std::string_view domain;          ///< Host of From and identities (P-07); "": our address.
  Presentation presentation;
  bool is_telephone_number = false;  ///< ";user=phone" in the URIs (P-08).
  Manners manners;
  std::string_view auth_username;  ///< "" when the vendor asks for no credentials.
  std::string_view auth_password;
  SessionBody body;
  std::vector<PassedHeader> headers;
  int max_forwards = 70;
  SocketAddress
      local;  ///< Listen address to send from (P-01); none: the first that fits `destination`.
  std::string_view request_uri;  ///< "": made of `callee` and `destination`; else a contact's.
  std::string_view routes;    ///< Of Route headers (RFC 3261 section 8.1.1.1), a name-addr a line,
                              ///< all with `lr`; "": none. They change nothing of `destination`.
  FlowId flow;                ///< Preferred to a connection of its own, while it lives.
  std::string_view replaces;  ///< Value of a Replaces header (RFC 3891); "": none.
  bool requires_replaces = false;  ///< The peer must know that header.
  /// Host, port and parameters of the Request-URI, behind `routes`; "": as `peer_name` says.
  std::string_view contact_place;
};

/// A question to a peer whether it is there, until it is answered. Destroying it forgets the
/// question; the handler may do that to the one that speaks.
class Probe {
 public:
  virtual ~Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

 protected:
  Probe() = default;
};

/// Who is asked, and from where.
struct ProbeOrder {
  SocketAddress destination;
  std::string_view transport = "udp";
  SocketAddress local;  ///< Listen address to ask from; none: the first that fits.
  TlsName tls;
};

class ProbeEvents {
 public:
  virtual ~ProbeEvents() = default;
  /// Called once. `is_answered`: something came back that only a living peer sends, whatever it
  /// says; else nothing came within the protocol's time, or the transport failed.
  virtual void on_probe(Probe& probe, bool is_answered) = 0;
};

/// A question to a redirect server: where does this number go?
struct RedirectQuestion {
  std::uint64_t id = 0;  ///< Comes back with the answer.
  SocketAddress destination;
  std::string_view transport = "udp";
  std::string_view callee;     ///< The number.
  std::string_view caller;     ///< User part of From; "" for none.
  std::string_view parameter;  ///< A further parameter of the Contact that is wanted; "" for none.
};

/// What the server said. Views end with the call that delivers it.
struct Redirect {
  int status = 0;              ///< Final status, 200..699; 0: none came.
  Portability portability;     ///< Of the first Contact of a redirection (3xx).
  std::string_view parameter;  ///< Value of the wanted one; "" when it is absent.
};

/// Until it is answered. Destroying it gives the question up; the handler may do that to the one
/// that speaks.
class RedirectQuery {
 public:
  virtual ~RedirectQuery() = default;
  RedirectQuery(const RedirectQuery&) = delete;
  RedirectQuery& operator=(const RedirectQuery&) = delete;

 protected:
  RedirectQuery() = default;
};

class RedirectEvents {
 public:
  virtual ~RedirectEvents() = default;
  /// Called once.
  virtual void on_redirect(std::uint64_t id, const Redirect& redirect) = 0;
};

/// How the switch registers at another one.
struct RegistrationOrder {
  SocketAddress destination;
  std::string_view transport = "udp";
  std::string_view username;  ///< Of the address-of-record and for digest.
  std::string_view password;
  TlsName tls;
  std::string_view peer_name = {};  ///< As in OutboundCall.
};

/// What came of one attempt to register, or to say so long.
struct RegistrationResult {
  int status = 0;         ///< Final status, 200..699; 0: none came.
  int expires_s = 0;      ///< 2xx: how long it holds.
  int min_expires_s = 0;  ///< 423; 0: not said.
  int retry_after_s = 0;
  std::string service_route{};  ///< 2xx: as OutboundCall::routes; "": none, or none of use.
};

class RegistrationEvents {
 public:
  virtual ~RegistrationEvents() = default;
  /// Once for each send(). May send again; must not destroy the one that speaks.
  virtual void on_registration(const RegistrationResult& result) = 0;
};

/// Keeps the Call-ID, the count of requests and the last challenge of registrations at one place.
/// Destroying it gives up what is under way.
class OutboundRegistration {
 public:
  virtual ~OutboundRegistration() = default;
  OutboundRegistration(const OutboundRegistration&) = delete;
  OutboundRegistration& operator=(const OutboundRegistration&) = delete;
  /// REGISTER with this expiry; 0 takes the registration back. Answers challenges. A request that
  /// is under way is forgotten. No event comes before this returns.
  virtual void send(int expires_s) = 0;

 protected:
  OutboundRegistration() = default;
};

/// A dialog as a Replaces header of somebody else finds it (RFC 3891 section 3).
struct DialogMatch {
  enum class State : std::uint8_t {
    none,
    arriving,  ///< Its peer's INVITE waits for our answer.
    calling,   ///< Ours waits for its peer's.
    up,
    over,
  };
  State state = State::none;
  Leg* leg = nullptr;  ///< Null: none, or it has no owner any more.
};

/// Reaches out to peers; one per worker and protocol.
class LegFactory {
 public:
  virtual ~LegFactory() = default;
  /// Sends the first request from the next turn of the loop on, so no event comes before this
  /// returns.
  virtual std::unique_ptr<Leg> call(const OutboundCall& call, LegEvents& events) = 0;
  /// Asks a peer whether it is there; in SIP by OPTIONS outside any dialog (RFC 3261 section 11).
  /// No event comes before this returns.
  virtual std::unique_ptr<Probe> probe(const ProbeOrder& order, ProbeEvents& events) = 0;
  /// Sends bytes that mean nothing over UDP, to keep the way to a peer behind NAT open. Nothing
  /// comes of it. `local` as in OutboundCall.
  virtual void keep_alive(const SocketAddress& destination, const SocketAddress& local,
                          std::string_view bytes) = 0;
  /// Asks a redirect server by an INVITE without an offer (RFC 3261 section 8.3); a call that it
  /// accepts instead is ended at once. No event comes before this returns.
  virtual std::unique_ptr<RedirectQuery> ask_redirect(const RedirectQuestion& question,
                                                      RedirectEvents& events) = 0;
  /// Nothing is sent yet.
  virtual std::unique_ptr<OutboundRegistration> registration(const RegistrationOrder& order,
                                                             RegistrationEvents& events) = 0;
  /// Worker of a leg, by its dialog; nothing: none of ours. The default knows none.
  [[nodiscard]] virtual std::optional<unsigned> owner_of(const DialogName& dialog) const noexcept;
  /// The leg of a dialog that is answered and not over, when it is of this worker; else null.
  [[nodiscard]] virtual Leg* find(const DialogName& dialog) noexcept;
  /// How far a dialog is, when it is of this worker. The default knows none.
  [[nodiscard]] virtual DialogMatch match(const DialogName& dialog) noexcept;
};

inline std::optional<unsigned> LegFactory::owner_of(const DialogName&) const noexcept {
  return std::nullopt;
}
inline Leg* LegFactory::find(const DialogName&) noexcept { return nullptr; }
inline DialogMatch LegFactory::match(const DialogName&) noexcept { return {}; }

/// Receives the calls, and the registrations, that arrive at one worker.
class InboundCalls {
 public:
  virtual ~InboundCalls() = default;
  /// A new call. Take the leg or let it go (it is then answered 500).
  virtual void on_call(std::unique_ptr<Leg> leg, const InboundCall& call) = 0;
  /// A REGISTER that the gate let pass. The default takes none (405).
  virtual RegisterReply on_register(const RegisterRequest& request);
  /// A connection that a peer made is closed. The default does nothing.
  virtual void on_flow_closed(const FlowId& flow);
  /// Whether who sends from there, as `user`, may ask for the place of others (RFC 3891), as far as
  /// that can be told before any password. The default knows nobody.
  [[nodiscard]] virtual bool takes_replaces(const SocketAddress& source, std::string_view user);
};

inline RegisterReply InboundCalls::on_register(const RegisterRequest&) { return {}; }
inline bool InboundCalls::takes_replaces(const SocketAddress&, std::string_view) { return false; }
inline void InboundCalls::on_flow_closed(const FlowId&) {}

}  // namespace tandem
