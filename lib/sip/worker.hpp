// One worker of the stack: receives, routes to the owner, keeps transactions and dialogs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "sip/arrivals.hpp"
#include "sip/content.hpp"
#include "sip/dialog.hpp"
#include "sip/digest.hpp"
#include "sip/handover.hpp"
#include "sip/message.hpp"
#include "sip/overload.hpp"
#include "sip/pool.hpp"
#include "sip/stack.hpp"
#include "sip/tls_setup.hpp"
#include "sip/token.hpp"
#include "sip/transaction.hpp"
#include "sip/transport.hpp"
#include "trace/recorder.hpp"

namespace tandem::sip {

/// What the workers of one switch share. Frozen before the loops start, but for `tls` and the
/// atomics.
struct StackShared {
  StackConfig config;
  KeyedHash::Key hash_key;
  DigestServer::Secret digest_secret;
  std::string server_line;      ///< "Server: tandem", "" for none.
  std::string user_agent_line;  ///< "User-Agent: tandem", "" for none.
  std::vector<class StackWorker*> workers;
  /// From worker i to worker j: [i * N + j]. Null on the diagonal.
  std::vector<std::unique_ptr<HandoverRing>> rings;
  std::atomic<bool> is_draining{false};
  std::atomic<std::int32_t> publish_expires_s{0};
  TlsSetup tls;
};

/// Methods that a dialog of ours understands, and those that are served outside dialogs.
inline constexpr std::string_view allow_line =
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY, REFER";
/// The same of a dialog in which provisional responses may be reliable (RFC 3262 section 7.2).
inline constexpr std::string_view allow_reliable_line =
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY, REFER, PRACK";
inline constexpr std::string_view allow_outside_line =
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO";
/// Of a peer that may ask for the place of others (RFC 3891 section 6.2).
inline constexpr std::string_view replaces_line = "Supported: replaces";
inline constexpr std::string_view accept_line = "Accept: application/sdp";
inline constexpr std::string_view least_session_line = "Min-SE: 90";  // session_interval_min_s
/// What an OPTIONS outside dialogs is told (RFC 3261 section 11.2).
inline constexpr std::string_view options_lines =
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY, REFER\n"
    "Accept: application/sdp\nAccept-Encoding: identity\nSupported: timer";
/// The same of a peer that may ask for the place of others (RFC 3891 section 6.2).
inline constexpr std::string_view options_replaces_lines =
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY, REFER\n"
    "Accept: application/sdp\nAccept-Encoding: identity\nSupported: timer, replaces";

/// Threading: loop-bound, but for wake().
class StackWorker final : public LegFactory, private TransportEvents, private TransactionHost {
 public:
  StackWorker(unsigned index, StackShared& shared, io::Loop& loop, InboundCalls& inbound,
              Random& random, Log& log);
  ~StackWorker() override;

  std::unique_ptr<Leg> call(const OutboundCall& call, LegEvents& events) override;
  std::unique_ptr<Probe> probe(const ProbeOrder& order, ProbeEvents& events) override;
  void keep_alive(const SocketAddress& destination, const SocketAddress& local,
                  std::string_view bytes) override;
  std::unique_ptr<RedirectQuery> ask_redirect(const RedirectQuestion& question,
                                              RedirectEvents& events) override;
  std::unique_ptr<OutboundRegistration> registration(const RegistrationOrder& order,
                                                     RegistrationEvents& events) override;
  [[nodiscard]] std::optional<unsigned> owner_of(const DialogName& dialog) const noexcept override;
  [[nodiscard]] Leg* find(const DialogName& dialog) noexcept override;
  [[nodiscard]] DialogMatch match(const DialogName& dialog) noexcept override;

  [[nodiscard]] Transports& transports() noexcept { return transports_; }
  [[nodiscard]] Transactions& transactions() noexcept { return transactions_; }
  [[nodiscard]] BufferPool& buffers() noexcept { return buffers_; }
  [[nodiscard]] io::Loop& loop() noexcept { return loop_; }
  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] const StackShared& shared() const noexcept { return shared_; }
  /// For Path::tls_peer.
  [[nodiscard]] const io::TlsPeer* tls_peer(const TlsName& name) { return shared_.tls.peer(name); }
  [[nodiscard]] const DigestServer& digest() const noexcept { return digest_; }
  /// The preferred one first: common user agents look at the first header only.
  [[nodiscard]] std::span<const DigestAlgorithm> challenge_algorithms() const noexcept {
    static constexpr DigestAlgorithm all[] = {DigestAlgorithm::md5, DigestAlgorithm::sha256};
    return {all, shared_.config.offers_sha256 ? 2U : 1U};
  }
  [[nodiscard]] StackCounters& counters() noexcept { return counters_; }
  [[nodiscard]] unsigned index() const noexcept { return index_; }

  /// A buffer for one message at a time: written and sent before anything else is written.
  [[nodiscard]] char* scratch() noexcept { return scratch_.get(); }
  /// Twice the longest message: what is copied from a request always fits and leaves room for as
  /// much again.
  static constexpr std::size_t head_bytes_max = Limits::message_bytes_max + 512;
  static constexpr std::size_t scratch_bytes = 2 * head_bytes_max;
  /// A second message, for our own requests that are read again.
  [[nodiscard]] Message& own_message() noexcept { return *own_message_; }

  /// Answers a request without keeping state (RFC 3261 section 8.2.7). `lines`: further headers,
  /// parted by '\n'. `tag`: for the To; "" makes one, the same for the same request.
  void refuse(const Message& request, const Path& from, int status, std::string_view phrase = {},
              std::string_view lines = {}, int retry_after_s = 0, std::string_view tag = {});
  /// A server transaction for a request inside a dialog.
  ServerTransaction& create_server(const Message& request, const Path& from,
                                   TransactionUser* user) {
    return transactions_.create_server(request, from, user, false);
  }
  void destroy(Dialog& dialog);
  /// Acknowledges and ends a call that nobody here wants: the 2xx of an INVITE without a dialog.
  void end_stray_answer(ClientTransaction& transaction, const Message& response) {
    on_fork(transaction, response, true);
  }
  /// So many transactions live that this request must be refused. Those inside
  /// dialogs have a reserve.
  [[nodiscard]] bool is_full(bool is_in_dialog) const noexcept;
  /// What the Via of a response says of our load; "": the sender of the request does not ask.
  [[nodiscard]] std::string load_for(const Message& request);

  /// A sender has put something into a ring of this worker. Any thread.
  void wake();

 private:
  bool on_bytes(std::string_view bytes, const Path& path) override;
  [[nodiscard]] bool is_of_old(std::string_view bytes) const override;
  void on_unreachable(const SocketAddress& remote, ConnectionId connection,
                      io::StreamFault fault) override;
  void on_connection_closed(ConnectionId connection) override;
  void on_first_transaction() override;
  bool send(Path& path, std::string_view bytes) override;
  void on_fork(ClientTransaction& transaction, const Message& response, bool is_new) override;

  bool receive(std::string_view bytes, const Path& path);
  bool read(std::string_view bytes, const Path& path);
  [[nodiscard]] bool may_begin_now(std::int64_t now_us);
  void let_wait(std::string_view bytes, const Path& path, std::int64_t now_us);
  void schedule_arrivals();
  void take_arrivals();
  void shed(std::string_view bytes, const Path& path, std::int64_t now_us);
  [[nodiscard]] std::uint64_t repetition_key(std::string_view bytes) const noexcept;
  [[nodiscard]] bool was_refused(std::string_view bytes, std::int64_t now_us) const noexcept;
  void note_load(std::int64_t now_us);
  void look_at_load();
  void record(std::string_view bytes, const Path& path, bool is_sent, bool is_lost);
  [[nodiscard]] unsigned owner(std::string_view bytes) const noexcept;
  bool hand_over(unsigned to, HandoverRing::Kind kind, const Path& path, std::string_view bytes);
  void drain_rings();
  void on_request(const Message& request, const Path& from);
  void on_new_request(const Message& request, const Path& from);
  void on_new_invite(const Message& request, const Path& from);
  void on_register(const Message& request, const Path& from);
  void on_publish(const Message& request, const Path& from);
  /// False: the gate is against it, and whatever is to be said was said.
  bool admit_register(std::string_view bytes, const Path& path);
  /// Checks that every request but ACK and CANCEL passes; false when it was refused.
  bool is_understood(const Message& request, const Path& from);
  [[nodiscard]] Dialog* find_dialog(std::string_view tag) noexcept;
  void keep_up();
  void tell_memory() noexcept;

  unsigned index_;
  StackShared& shared_;
  io::Loop& loop_;
  InboundCalls& inbound_;
  Random& random_;
  Log& log_;
  StackCounters counters_;
  trace::Tap* const tap_;  // null: nothing is ever traced
  DigestServer digest_;
  BufferPool buffers_;
  Transports transports_;
  Transactions transactions_;
  SlabPool<Dialog> dialogs_;
  std::unique_ptr<char[]> scratch_;
  std::unique_ptr<Message> message_;
  std::unique_ptr<Message> own_message_;
  MessageParties named_parties_;
  Replacement replacement_;
  InboundCall call_;  // kept, so that its vector is not allocated for every call
  Unescaped unescaped_;
  Arrivals arrivals_;
  OverloadMeter meter_;
  RefusedCalls refused_;
  Timer load_due_;                    // while peers keep something back
  Timer upkeep_due_;                  // while there is memory that may be given back
  std::string_view reading_;          // the message in work
  std::int64_t turn_began_us_ = -1;   // when the first new call of this turn came; -1: none did
  std::uint32_t turn_messages_ = 0;   // since calls that waited were last taken
  std::uint32_t refusals_left_ = 64;  // until calls that waited are next taken
  bool are_arrivals_scheduled_ = false;
  bool is_arrival_ = false;    // the message in work has waited
  std::vector<bool> touched_;  // workers that got something in this turn
  bool is_waking_ = false;     // they are woken at the end of the turn
  alignas(64) std::atomic<bool> is_woken_{false};
};

}  // namespace tandem::sip
