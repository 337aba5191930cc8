// A test kit: whole switches, their customers and their vendors in virtual time.
//
// A World has a network of its own, a clock that moves only when told to, and a disk in memory. An
// hour of calls takes seconds, and equal seeds give equal runs. docs/testing.md shows a test of a
// third party.
//
// Threading of everything here: one thread at a time; callbacks run inside the run functions on
// the thread that called them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/config.hpp"
#include "tandem/dtls.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/sim_network.hpp"
#include "tandem/switch.hpp"
#include "tandem/values.hpp"

namespace tandem::sim {

class Endpoint;
class World;

/// How an endpoint whose media is encrypted agrees on its keys in the media, as a browser does
/// (DTLS-SRTP, RFC 5763), and not in its description.
struct DtlsPlan {
  bool is_on = false;
  bool has_ice = false;  ///< It makes checks as a full agent, and describes no address.
  DtlsRole role =
      DtlsRole::none;  ///< None: as the other end likes, the client if that does not say.
  bool shows_other_certificate = false;  ///< Than it describes.
  bool has_wrong_password = false;       ///< In its checks.
};

/// How an endpoint makes a call.
struct DialPlan {
  std::string destination;  ///< "IP:PORT"; "": the `peer` of the endpoint, on TLS its port 5061, on
                            ///< WebSocket its port 80.
  SipTransport transport = SipTransport::udp;
  std::string display;             ///< Display name of the From; "" for none.
  std::string username, password;  ///< Answer a digest challenge (RFC 3261 section 22).
  std::string sdp;                 ///< Offer; "": one G.711 stream at a port of the endpoint.
  std::string content_type = "application/sdp";
  bool delayed_offer = false;          ///< No offer in the INVITE: the 200 brings it (RFC 3264).
  bool send_rtp = false;               ///< From the moment the far address is known.
  int ptime_ms = 20;                   ///< 10..200; G.711, 8 bytes a millisecond.
  std::uint8_t rtp_pattern = 0xD5;     ///< Every byte of the payload.
  std::uint8_t rtp_type = 0;           ///< Payload type of what it sends, 0..127.
  std::string formats = "0 8 101";     ///< Of its own description; 101 are telephone events.
  std::int64_t cancel_after_us = -1;   ///< CANCEL so long after the INVITE; -1: no.
  std::int64_t hang_up_after_us = -1;  ///< BYE so long after the answer; -1: no.
  int max_forwards = 70;               ///< 0..255.
  bool npdi = false;  ///< The Request-URI says that the number was looked up (RFC 4694) ...
  std::string rn;     ///< ... and this is where it is; "": not ported.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Further ones of the INVITE.
  /// Speaks session timers (RFC 4028) and wants this interval, 90..7200; 0: it does not.
  std::int32_t session_timer_s = 0;
  bool rel100 = false;           ///< Takes provisional responses reliably (RFC 3262) ...
  bool requires_rel100 = false;  ///< ... and wants them so.
  /// Replaces header (RFC 3891), as EndpointCall::replaces() gives it; "": none.
  std::string replaces;
  bool requires_replaces = false;  ///< Who does not know it shall refuse the call.
  /// Whether its media is encrypted (SDES): offered beside plain RTP (`optional`), or `required`.
  SrtpMode srtp = SrtpMode::off;
  DtlsPlan dtls{};
};

/// What an endpoint does with a call that arrives. Times count from the arrival, -1 means: not by
/// itself. The default answers at once.
struct AnswerPlan {
  bool responds = true;                 ///< False: says nothing at all, not even 100.
  std::int64_t ring_after_us = -1;      ///< 180.
  bool ring_with_sdp = false;           ///< The 180 carries a description.
  std::int64_t progress_after_us = -1;  ///< 183 with a description: early media.
  int progress_status = 183;            ///< 101..199.
  bool progress_with_sdp = true;
  std::int64_t answer_after_us = 0;    ///< 200, or `status`.
  int status = 200;                    ///< 300..699 refuses.
  int q850_cause = 0;                  ///< Reason header of a refusal (RFC 3326); 0: none.
  int retry_after_s = 0;               ///< Retry-After of a refusal; 0: none.
  std::string sdp;                     ///< "": one G.711 stream at a port of the endpoint.
  bool answer_without_sdp = false;     ///< The 200 has no body: what the 18x said holds.
  std::int64_t hang_up_after_us = -1;  ///< BYE so long after the answer.
  bool send_rtp = false;               ///< From the first description on: early media too.
  int ptime_ms = 20;
  std::uint8_t rtp_pattern = 0x2A;
  std::uint8_t rtp_type = 0;
  std::string formats = "0 8 101";
  std::string username, password;  ///< Not empty: the caller must authenticate (401).
  std::string realm = "vendor";
  std::vector<std::pair<std::string, std::string>> headers;  ///< Further ones of 200 or refusal.
  std::int32_t session_timer_s = 0;                          ///< As of DialPlan.
  bool rel100 = false;            ///< Sends them reliably to who can take it so; ...
  bool requires_rel100 = false;   ///< ... others are refused with 421.
  SrtpMode srtp = SrtpMode::off;  ///< Takes keys that are offered; `required`: 488 without.
  DtlsPlan dtls{};
};

/// How an endpoint takes registrations, as a carrier that others register at does.
struct RegistrarPlan {
  std::string username, password;
  std::string realm = "vendor";
  int status = 200;       ///< 300..699 refuses everybody with it.
  int expires_s = 3600;   ///< Granted at most.
  int min_expires_s = 0;  ///< Less gets 423.
  int retry_after_s = 0;  ///< Of a refusal.
};

/// How far a call got, as its endpoint sees it.
enum class EndpointCallState : std::uint8_t { begun, ringing, answered, over };

/// One call as one endpoint sees it. Handles are shared; a handle may outlive its world, then
/// nothing can be done with it any more. Actions that are not possible in the state of the call
/// do nothing.
class TANDEM_EXPORT EndpointCall {
 public:
  struct Body;
  explicit EndpointCall(std::unique_ptr<Body> body);  ///< For lib/sim.
  ~EndpointCall();
  EndpointCall(const EndpointCall&) = delete;
  EndpointCall& operator=(const EndpointCall&) = delete;

  [[nodiscard]] EndpointCallState state() const;
  [[nodiscard]] bool is_over() const { return state() == EndpointCallState::over; }
  [[nodiscard]] bool was_answered() const;
  /// Final status: 200 when it was answered; 0: none came or was sent yet.
  [[nodiscard]] int status() const;
  /// Of the Reason header that ended the call; 16 for a BYE without one, 0 for a refusal without.
  [[nodiscard]] int q850_cause() const;
  [[nodiscard]] int retry_after_s() const;  ///< Of the refusal; 0: none.
  [[nodiscard]] const std::string& call_id() const;
  [[nodiscard]] const std::string& caller() const;   ///< User part of From.
  [[nodiscard]] const std::string& display() const;  ///< Display name of an arriving From.
  [[nodiscard]] const std::string& callee() const;   ///< User part of the Request-URI.
  [[nodiscard]] bool npdi() const;  ///< Of the Request-URI of an arriving INVITE (RFC 4694).
  [[nodiscard]] const std::string& rn() const;       ///< The same; "": it has none.
  [[nodiscard]] const std::string& product() const;  ///< User-Agent or Server of the other side.
  /// Name and value of the header lines of an arriving INVITE, or of the final response to ours,
  /// beyond dialog, routing and content.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& headers() const;
  [[nodiscard]] const std::string& local_sdp() const;   ///< Last description sent.
  [[nodiscard]] const std::string& remote_sdp() const;  ///< Last description received.
  /// What happened, in order: "100", "180", "183 sdp", "answer", "failure 486", "cancel",
  /// "confirmed", "acknowledged", "release", "reinvite", "update", "reoffer 200", "INFO", "result
  /// 200", "notified 180", ...
  [[nodiscard]] const std::vector<std::string>& events() const;
  [[nodiscard]] std::size_t count(std::string_view event) const;  ///< How often it happened.

  [[nodiscard]] std::uint64_t packets_sent() const;      ///< RTP.
  [[nodiscard]] std::uint64_t packets_received() const;  ///< RTP.
  [[nodiscard]] int received_type() const;  ///< Payload type of the last packet; -1: none came.
  /// Keys that came as telephone events of payload type 101.
  [[nodiscard]] const std::string& received_keys() const;
  [[nodiscard]] int received_pattern() const;  ///< Last byte of the last RTP packet; -1: none came.
  [[nodiscard]] const std::string& last_body() const;  ///< Of the last request or its response.

  // A call that arrived, beside its plan.
  void ring(int status = 180, bool with_sdp = false);
  void answer();
  void reject(int status, int q850_cause = 0, int retry_after_s = 0);

  void cancel();  ///< The caller gives up before the answer.
  /// Ends the call in any state. `q850_cause` > 0 adds a Reason header.
  void hang_up(int q850_cause = 0);
  void hold();                                 ///< re-INVITE with a=sendonly.
  void resume();                               ///< re-INVITE with a=sendrecv.
  void reinvite(const std::string& sdp = {});  ///< "": what was sent last.
  void reinvite_without_offer();
  void update(const std::string& sdp = {});
  /// INFO, MESSAGE, ... inside the dialog. `headers`: further ones, name and value.
  void request(const std::string& method, const std::string& content_type, const std::string& body,
               const std::vector<std::pair<std::string, std::string>>& headers = {});
  /// REFER: the other party shall be led to `target`, what Refer-To says (RFC 3515). What comes of
  /// it are events "notified 100", "notified 200", ...
  void refer(const std::string& target);
  /// REFER: the other party shall be led to the other party of `call`, in this end's place there
  /// (RFC 3891).
  void refer_to(const EndpointCall& call);
  /// What an INVITE with Replaces says to take this end's place in the switch (RFC 3891), for
  /// DialPlan::replaces. "": the call is over.
  [[nodiscard]] std::string replaces() const;
  void set_reoffer_status(int status);  ///< How it answers later re-INVITEs and UPDATEs; 200.
  /// What it describes in those answers; "": as its plan says.
  void set_reoffer_sdp(const std::string& sdp);
  void set_request_status(int status);  ///< How it answers later other requests; 200.
  /// Presses a key in RTP (RFC 4733, payload type 101): its packets leave at once, the end three
  /// times. Others than 0..9, *, #, A..D do nothing.
  void press_key(char key, std::uint16_t duration_ms = 100);
  void start_rtp();
  void stop_rtp();
  void rekey();                                       ///< re-INVITE with new keys (SDES).
  [[nodiscard]] bool is_encrypted() const;            ///< Both ends have keys.
  [[nodiscard]] std::uint64_t srtp_failures() const;  ///< Packets that its key did not fit.

 private:
  friend class Endpoint;
  friend class World;
  std::unique_ptr<Body> body_;
};

/// One message on the wire of an endpoint.
struct LadderEntry {
  std::int64_t at_us = 0;  ///< Monotonic, when it was sent.
  bool is_sent = false;    ///< By the endpoint.
  std::string what;        ///< "INVITE", "180 INVITE", "ACK", "200 BYE"; "?" for what is not SIP.
  std::string call_id;
};

/// What an endpoint counted; only grows but for `calls_live`.
struct EndpointCounters {
  std::uint64_t calls_out = 0, calls_in = 0;
  std::uint64_t answered = 0;  ///< Both directions.
  std::uint64_t refused = 0;   ///< Ended without an answer.
  std::uint64_t released = 0;  ///< Ended after an answer.
  std::uint64_t calls_live = 0;
  std::uint64_t packets_sent = 0, packets_received = 0;  ///< RTP.
  std::uint64_t dialogs_live = 0, transactions_live = 0;
};

struct EndpointConfig {
  std::string address;  ///< "IP:PORT" for SIP on UDP and TCP; RTP comes from the same IP.
  std::string peer;     ///< Where dial() goes: a switch. May be "" for one that only answers.
  std::string product = "endpoint";
  /// It speaks TLS too, at the next port. Whom it connects to must be `tls_name` ("": the address)
  /// unless `tls_verify` is false.
  std::optional<TlsConfig> tls{};
  std::string tls_name{};
  bool tls_verify = true;
  ClientCertificate client_certificate = ClientCertificate::none;  ///< Of who connects to it.
  /// It speaks WebSocket too, as a browser does: it connects to port 80 of `peer`, and is reached
  /// over that connection. Its Via and Contact name its port after the next.
  bool is_browser = false;
  std::size_t ladder_max = 100'000;  ///< Entries kept; counts go on beyond it.
  std::size_t calls_max = 10'000;    ///< Ended calls kept for calls().
};

/// A SIP party with media: a customer when it dials, a vendor when it is called. It behaves as the
/// RFCs say, retransmissions included; a RawEndpoint is for all else. Belongs to its world.
class TANDEM_EXPORT Endpoint {
 public:
  struct Body;
  explicit Endpoint(
      std::unique_ptr<Body> body);  ///< For lib/sim; World::add_endpoint() makes them.
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Sends an INVITE in the next turn. `callee` and `caller`: user parts. A destination that does
  /// not parse gives a call that is over.
  std::shared_ptr<EndpointCall> dial(const std::string& callee, const std::string& caller = "1000",
                                     const DialPlan& plan = {});

  void set_plan(const AnswerPlan& plan);  ///< For every number without a plan of its own.
  void set_plan(const std::string& callee, const AnswerPlan& plan);
  /// Asked for every call first; nothing: the plans above. Empty: nobody is asked.
  void set_plan(std::function<std::optional<AnswerPlan>(const EndpointCall&)> choose);

  /// In order of their beginning; the oldest ended ones are gone beyond `calls_max`.
  [[nodiscard]] std::vector<std::shared_ptr<EndpointCall>> calls() const;
  [[nodiscard]] std::shared_ptr<EndpointCall> last_call() const;  ///< Null: there was none.

  /// Messages on UDP with that label or the first word of it: "INVITE", "200 BYE", "180". What was
  /// sent counts also when the network lost it.
  [[nodiscard]] std::uint64_t sent(std::string_view what) const;
  [[nodiscard]] std::uint64_t received(std::string_view what) const;
  [[nodiscard]] const std::vector<LadderEntry>& ladder() const;
  /// The ladder on one line, sent messages with '>', received ones with '<': "> INVITE, < 100
  /// INVITE".
  [[nodiscard]] std::string ladder_text() const;
  void clear_ladder();  ///< Counts begin at 0 again.

  /// Registers `user` at `peer`, answering a challenge with `password`; again: once more, as a
  /// refresh. Nothing is renewed by itself. `expires_s` 0 takes it back.
  void register_user(const std::string& user, const std::string& password, int expires_s = 3600,
                     SipTransport transport = SipTransport::udp);
  /// Final status of the last register_user() of `user`; 0: none came yet.
  [[nodiscard]] int registration_status(const std::string& user) const;
  [[nodiscard]] int registration_expires_s(const std::string& user) const;  ///< As granted.
  /// Takes registrations from now on.
  void accept_registrations(const RegistrarPlan& plan);
  /// Contact that registered last; "": none, or it was taken back.
  [[nodiscard]] const std::string& registered_contact() const;

  /// Nothing comes from it or reaches it any more, as when its power is cut; false: it is back.
  void set_silent(bool silent);
  [[nodiscard]] EndpointCounters counters() const;
  [[nodiscard]] SocketAddress address() const;

 private:
  friend class World;
  std::unique_ptr<Body> body_;
};

/// A datagram that a RawEndpoint received.
struct RawDatagram {
  std::int64_t at_us = 0;  ///< Monotonic.
  SocketAddress from;
  std::string bytes;
};

/// A UDP port that sends what it is told, well formed or not. Belongs to its world.
class TANDEM_EXPORT RawEndpoint {
 public:
  struct Body;
  explicit RawEndpoint(std::unique_ptr<Body> body);  ///< For lib/sim.
  ~RawEndpoint();
  RawEndpoint(const RawEndpoint&) = delete;
  RawEndpoint& operator=(const RawEndpoint&) = delete;

  void send(const SocketAddress& to, std::string_view bytes);
  [[nodiscard]] const std::vector<RawDatagram>& received() const;
  void clear();
  /// Called with each datagram inside the run functions. May send.
  void on_datagram(std::function<void(const RawDatagram&)> handler);
  [[nodiscard]] SocketAddress address() const;

 private:
  std::unique_ptr<Body> body_;
};

/// A server that resolvers of kind `sip302`, `http` or `enum` ask. What it is not told of it
/// answers with 404, as a name server with "no such name". Belongs to its world.
class TANDEM_EXPORT LrnServer {
 public:
  struct Body;
  explicit LrnServer(std::unique_ptr<Body> body);  ///< For lib/sim.
  ~LrnServer();
  LrnServer(const LrnServer&) = delete;
  LrnServer& operator=(const LrnServer&) = delete;

  void set(const std::string& number, const LrnRecord& record);
  /// Before each answer; over HTTP before its body, in steps of 50 ms.
  void set_delay_us(std::int64_t delay_us);
  /// Of every answer; 0: as usual. A name server fails (SERVFAIL) for 500 and above, and knows no
  /// name for what is below.
  void set_status(int status);
  void set_silent(bool is_silent);  ///< It takes questions and answers none.
  /// Numbers in the order in which they were asked for, repeated requests aside.
  [[nodiscard]] const std::vector<std::string>& asked() const;
  [[nodiscard]] std::uint64_t acknowledged() const;  ///< sip302: ACKs that came.

 private:
  std::unique_ptr<Body> body_;
};

/// A name server that a switch asks for the names of gateways (`SwitchConfig::dns.servers`), over
/// UDP and TCP. Belongs to its world.
class TANDEM_EXPORT DnsServer {
 public:
  struct Body;
  explicit DnsServer(std::unique_ptr<Body> body);  ///< For lib/sim.
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  /// Replaces the records of `type` (A, AAAA, CNAME, SRV, NAPTR) of a name by these, in the words
  /// of a zone file: "10.0.0.1", "sbc.example.com", "10 5 5060 sbc.example.com", `10 50 "s"
  /// "SIP+D2U" "" _sip._udp.example.com`; none: the name is there without any. Errors:
  /// invalid_argument.
  Result<void> set(const std::string& name, const std::string& type,
                   const std::vector<std::string>& data, std::uint32_t ttl_s = 60);
  void forget(const std::string& name);          ///< There is no such name any more.
  void set_negative_ttl_s(std::uint32_t ttl_s);  ///< Of the SOA record; 30.
  void set_code(int code);                       ///< Of every answer, 2: SERVFAIL; 0: as usual.
  void set_silent(bool is_silent);               ///< It takes questions and answers none.
  void set_truncating(bool is_truncating);       ///< Over UDP nothing fits.
  void set_follows_aliases(bool follows);  ///< False: of a CNAME it says where it leads, no more.
  /// Every question for A is first answered by guesses of a forger, with this address; a `none`
  /// address: no longer.
  void set_forged(const IpAddress& address);
  /// "name TYPE" of every question in order, " tcp" behind it over TCP.
  [[nodiscard]] const std::vector<std::string>& asked() const;

 private:
  std::unique_ptr<Body> body_;
};

struct WorldOptions {
  std::uint64_t seed = 1;
  std::int64_t wall_us = 1767225600000000;  ///< Start of the wall clock: 2026-01-01T00:00:00Z.
  LinkSettings link;                        ///< Between addresses without a rule of their own.
};

/// Network, clock, disk, and all that lives in them. Destroy the switches first; endpoints go with
/// the world.
class TANDEM_EXPORT World {
 public:
  explicit World(const WorldOptions& options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Who lives here.

  /// A switch in virtual time, not yet started. Its journal and CSV files are on the world's disk,
  /// its balances in the world's memory by the names in `config`, so that a switch made later with
  /// the same names goes on where the last one ended. SQLite sinks need a real folder: those with a
  /// relative path are left out. Its CDRs also come to cdrs(). Switch::wait_idle() is not for here.
  /// Errors: those of Switch::create().
  Result<std::unique_ptr<Switch>> create_switch(SwitchConfig config, SwitchHooks hooks = {});
  /// Ends a switch as a loss of power would: nothing more is sent, what its disk had not stored
  /// durably is lost.
  void crash(std::unique_ptr<Switch> victim);

  /// Lives as long as the world. Errors: invalid_argument (address), already_exists (port).
  Result<Endpoint*> add_endpoint(const EndpointConfig& config);
  /// The same for an "IP:PORT" of raw bytes.
  Result<RawEndpoint*> add_raw_endpoint(const std::string& address);
  /// The same for a server of LRN look-ups: HTTP, or SIP or DNS on UDP. Errors besides:
  /// invalid_argument (kind host).
  Result<LrnServer*> add_lrn_server(const std::string& address, LrnResolverKind kind);

  /// The same for a name server, port 53 unless the address says another.
  Result<DnsServer*> add_dns_server(const std::string& address);

  // Time. Not from inside a callback: such a call does nothing and returns false.

  bool run_for_us(std::int64_t us);
  /// Runs until `done()` is true, which is asked before the first and after every turn. False when
  /// `limit_us` passed first.
  bool run_until(const std::function<bool()>& done, std::int64_t limit_us);
  /// Runs until no switch and no endpoint has a call, dialog or transaction left, and every record
  /// is in cdrs(). False when `limit_us` passed first; always so where vendors are checked with
  /// OPTIONS every few seconds (`options_check_s`), since the transaction of a check outlives that.
  bool run_until_idle(std::int64_t limit_us = 600'000'000);
  [[nodiscard]] std::int64_t monotonic_us() const;
  [[nodiscard]] std::int64_t wall_us() const;
  void step_wall_us(std::int64_t step_us);  ///< Moves the wall clock alone, either way.

  // The network.

  void set_default_link(const LinkSettings& link);
  /// For what goes from `from` to `to`. Port 0 means every port, a `none` address every address.
  /// Of several rules that fit the one set last holds. Errors: limit (4,096 rules).
  Result<void> set_link(const SocketAddress& from, const SocketAddress& to,
                        const LinkSettings& link);
  /// Both ways; heal() takes it back. Errors: those of set_link().
  Result<void> partition(const IpAddress& a, const IpAddress& b);
  Result<void> heal(const IpAddress& a, const IpAddress& b);
  void clear_links();  ///< Only the default link is left.
  /// Datagrams for which it is true are lost. Empty: none.
  void drop_if(std::function<bool(const DatagramView&)> predicate);
  void set_tap(std::function<void(const DatagramView&)> tap);  ///< Every datagram at its sending.
  [[nodiscard]] const NetworkCounters& network_counters() const;
  /// Hash over time, addresses and bytes of everything delivered so far.
  [[nodiscard]] std::uint64_t trace_hash() const;
  /// Keeps a copy of every datagram sent from now on, up to `bytes_max`; 0 ends it.
  void capture(std::size_t bytes_max = std::size_t{64} << 20);
  Result<void> write_pcap(const std::string& path) const;  ///< Errors: io.

  // The disk.

  /// While full, every write fails as a full disk's does.
  void set_disk_full(bool full);
  /// Content of a file on the world's disk, for instance of a CSV sink. Errors: not_found.
  [[nodiscard]] Result<std::string> read_file(const std::string& path) const;

  /// Records of all calls that ended and were journaled, of all switches, in order of release.
  [[nodiscard]] const std::vector<Cdr>& cdrs() const;
  void clear_cdrs();

  struct Body;

 private:
  friend class WorldAccess;
  std::unique_ptr<Body> body_;
};

}  // namespace tandem::sim
