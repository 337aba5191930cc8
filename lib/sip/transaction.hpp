// The four transaction machines of RFC 3261 section 17, as corrected by RFC 6026.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "io/loop.hpp"
#include "sip/chain_table.hpp"
#include "sip/message.hpp"
#include "sip/path.hpp"
#include "sip/pool.hpp"
#include "sip/stack.hpp"
#include "sip/token.hpp"
#include "tandem/clock.hpp"

namespace tandem::sip {

class ClientTransaction;
class ServerTransaction;
class Transactions;

/// Whom a transaction serves; in this room a dialog. A user may start and end any other transaction
/// from these calls, and must detach() itself from its transactions before it is destroyed.
class TransactionUser {
 public:
  virtual ~TransactionUser() = default;
  /// The response belongs to the request: its Call-ID and From tag are ours. Others are dropped.
  [[nodiscard]] virtual bool owns(const Message& response) const noexcept = 0;
  /// A response that this transaction has not passed up before: every provisional one, and the
  /// first final one.
  virtual void on_response(ClientTransaction& transaction, const Message& response,
                           const Path& from) = 0;
  /// No final response came (timers B and F), or the transport failed. The transaction is over.
  virtual void on_no_response(ClientTransaction& transaction, bool is_transport) = 0;
  /// The ACK of our 2xx did not come within 64*T1 (RFC 3261 section 13.3.1.4). The transaction is
  /// over.
  virtual void on_no_ack(ServerTransaction& transaction) = 0;
  /// A request other than INVITE waited 64*T1 for its answer. Answer it now: its sender has given
  /// up.
  virtual void on_unanswered(ServerTransaction& transaction) = 0;
};

/// What transactions need from the stack.
class TransactionHost {
 public:
  virtual ~TransactionHost() = default;
  /// There is a transaction, and was none before.
  virtual void on_first_transaction() = 0;
  /// False: the transport refused. `path` learns the connection that was used.
  virtual bool send(Path& path, std::string_view bytes) = 0;
  /// A further 2xx of an INVITE from another branch of a fork: to be acknowledged and ended (RFC
  /// 3261 section 13.2.2.4). `is_new`: the first one of its branch.
  virtual void on_fork(ClientTransaction& transaction, const Message& response, bool is_new) = 0;
};

struct Timing {
  std::int64_t t1_us;
  std::int64_t t2_us;
  std::int64_t t4_us;
  std::vector<std::int64_t> resend_us;  ///< StackConfig::resend_us.
  std::int64_t resends_us;              ///< Their sum.

  [[nodiscard]] std::int64_t timeout_us() const noexcept {
    return 64 * t1_us;
  }  ///< Timers H, J, L, M.
  /// Timers B and F.
  [[nodiscard]] std::int64_t request_timeout_us() const noexcept {
    return resend_us.empty() ? timeout_us() : resends_us;
  }
  /// How long a request waits that was sent `sent` times, at least once, the last time after
  /// `waited_us`.
  [[nodiscard]] std::int64_t wait_us(std::size_t sent, std::int64_t waited_us,
                                     bool is_invite) const noexcept {
    if (!resend_us.empty()) return resend_us[std::min(sent, resend_us.size()) - 1];
    if (sent <= 1) return t1_us;
    // Timer A has no upper limit, timer E has T2.
    return is_invite ? 2 * waited_us : std::min(2 * waited_us, t2_us);
  }
};

/// A request of ours on its way (RFC 3261 section 17.1). Lives in a slot that its Via branch names.
class ClientTransaction {
 public:
  enum class State : std::uint8_t {
    calling,     ///< Sent, nothing came back ("Trying" for requests other than INVITE).
    proceeding,  ///< A provisional response came.
    completed,  ///< A final response came; its retransmissions are absorbed. For an INVITE not 2xx.
    accepted,   ///< INVITE: a 2xx came (RFC 6026).
  };

  ClientTransaction(std::uint32_t slot, Transactions& layer, Method method,
                    TransactionUser* user) noexcept;
  ~ClientTransaction();
  ClientTransaction(const ClientTransaction&) = delete;
  ClientTransaction& operator=(const ClientTransaction&) = delete;

  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  [[nodiscard]] Token token() const noexcept;
  [[nodiscard]] BranchText branch() const noexcept { return branch_text(token()); }
  [[nodiscard]] Method method() const noexcept { return method_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const Path& path() const noexcept { return path_; }
  [[nodiscard]] std::uint32_t cseq() const noexcept { return cseq_; }
  /// INVITE: the highest number that a request inside a dialog it made has had; its own when none
  /// was sent.
  [[nodiscard]] std::uint32_t last_cseq() const noexcept { return last_cseq_; }
  void note_cseq(std::uint32_t cseq) noexcept { last_cseq_ = cseq; }
  /// The request until its final response has been passed up; then the ACK, if it has one.
  [[nodiscard]] std::string_view message() const noexcept { return message_.view(); }
  [[nodiscard]] bool has_final() const noexcept { return state_ >= State::completed; }
  /// What was wrong with the connection that took it along.
  [[nodiscard]] io::StreamFault fault() const noexcept { return fault_; }

  /// A 2xx to such an INVITE begins no dialog: once nobody waits for it, it gets its ACK and no
  /// BYE, for the dialog has been ended by then.
  void set_within_dialog() noexcept { is_within_dialog_ = true; }
  [[nodiscard]] bool is_within_dialog() const noexcept { return is_within_dialog_; }
  /// Sends the request. A transport error is told later, never from within.
  void start(const Path& path, std::uint32_t cseq, std::string_view request);
  /// INVITE, once accepted: sends the ACK and keeps it for retransmitted 2xx (RFC 3261
  /// section 13.2.2.4).
  void acknowledge(Path path, std::string_view ack);
  /// INVITE that is proceeding: sends CANCEL (RFC 3261 section 9.1). The transaction ends in 64*T1
  /// if no final response comes. `reason`: value of a Reason header, "" for none.
  void cancel(std::string_view reason);
  [[nodiscard]] bool is_cancelled() const noexcept { return is_cancelled_; }
  /// The CANCEL got a final response: the peer is there, whatever becomes of the INVITE.
  [[nodiscard]] bool is_cancel_answered() const noexcept { return is_cancel_answered_; }
  /// INVITE that is proceeding: is cancelled in 64*T1 if no final response comes, counted from the
  /// last call. Without a call its user decides how long to wait.
  void limit_wait() noexcept;
  /// Nobody is told any more. An INVITE without a provisional response is cancelled when one comes.
  void detach() noexcept { user_ = nullptr; }
  /// INVITE that is of no use any more: CANCEL when that is allowed. Without a response it is not
  /// (RFC 3261 section 9.1); then the request is not repeated, and a late answer is still dealt
  /// with for T4.
  void abandon();

 private:
  friend class Transactions;
  void on_timer();
  void receive(const Message& response, const Path& from);
  void receive_invite(const Message& response, const Path& from);
  void complete(std::int64_t linger_us);
  void fail(bool is_transport);
  [[nodiscard]] bool is_datagram() const noexcept { return path_.transport == Transport::udp; }
  void resend();

  Transactions& layer_;
  TransactionUser* user_;
  std::uint64_t random_;
  Timer timer_;
  std::int64_t deadline_us_ = 0;
  std::int64_t interval_us_ = 0;  // to the next retransmission; 0: none
  Bytes message_;
  Path path_;
  Path ack_path_;
  std::uint64_t winner_ = 0;              // hash of the To tag of the first 2xx
  std::array<std::uint64_t, 4> forks_{};  // hashes of the To tags of further ones
  ClientTransaction* partner_ = nullptr;  // an INVITE and its CANCEL, which share a branch
  ClientTransaction* next_ = nullptr;     // in the list of its destination while unanswered
  ClientTransaction** link_ = nullptr;
  std::uint32_t slot_;
  std::uint32_t cseq_ = 0;
  std::uint32_t last_cseq_ = 0;
  Method method_;
  State state_ = State::calling;
  std::uint8_t sent_ = 0;  // times; no more than the longest schedule has
  bool is_unsendable_ = false;
  io::StreamFault fault_ = io::StreamFault::none;  // why
  bool is_cancelled_ = false;
  bool is_cancel_answered_ = false;
  bool has_ack_ = false;      // message_ is the ACK of a 2xx
  bool is_busy_ = false;      // its user is being told something
  bool is_finished_ = false;  // to be destroyed as soon as that returns
  bool is_within_dialog_ = false;
};

/// What identifies a server transaction (RFC 3261 section 17.2.3): branch, sent-by and method; for
/// a request without the cookie of RFC 3261 its top Via, Call-ID, From tag and CSeq number.
class ServerKey {
 public:
  /// `method`: of the transaction that is looked for, INVITE for an ACK or a CANCEL.
  ServerKey(const Message& request, std::string_view method) noexcept;
  [[nodiscard]] std::uint64_t hash(const KeyedHash::Key& key) const noexcept;
  [[nodiscard]] bool equals(std::string_view stored) const noexcept;
  void store(Bytes& into, BufferPool& pool) const;

 private:
  std::array<std::string_view, 4> parts_;
  std::uint32_t number_;
};

/// A request that arrived (RFC 3261 section 17.2).
class ServerTransaction {
 public:
  enum class State : std::uint8_t {
    proceeding,  ///< No final response yet.
    completed,   ///< Final response sent; for an INVITE not 2xx, waiting for its ACK.
    confirmed,   ///< INVITE: the ACK came.
    accepted,    ///< INVITE: 2xx sent (RFC 6026).
  };

  ServerTransaction(std::uint32_t slot, Transactions& layer, Method method,
                    TransactionUser* user) noexcept;
  ~ServerTransaction();
  ServerTransaction(const ServerTransaction&) = delete;
  ServerTransaction& operator=(const ServerTransaction&) = delete;

  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  [[nodiscard]] Method method() const noexcept { return method_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool has_final() const noexcept { return state_ != State::proceeding; }
  [[nodiscard]] const Path& path() const noexcept { return path_; }
  [[nodiscard]] std::uint32_t cseq() const noexcept { return cseq_; }
  [[nodiscard]] TransactionUser* user() const noexcept { return user_; }

  /// Lines that every response begins with after its status line, kept by the user until the final
  /// response.
  [[nodiscard]] std::string_view head() const noexcept { return head_.view(); }
  void set_head(std::string_view head);

  /// Over UDP: where responses go instead of to where the request came from. Over a connection they
  /// go over that (RFC 3261 section 18.2.2).
  void answer_to(const SocketAddress& remote) noexcept {
    if (is_datagram()) path_.remote = remote;
  }
  /// Sends a response and keeps it for retransmitted requests. After a final one further calls do
  /// nothing.
  void respond(int status, std::string_view response);
  /// Sends the last provisional response again.
  void repeat_provisional();
  /// The ACK of our 2xx came: no more retransmissions.
  void stop_answer();
  [[nodiscard]] bool is_acknowledged() const noexcept { return is_acknowledged_; }
  /// Never answers; absorbs retransmissions for 64*T1.
  void drop();
  void detach() noexcept { user_ = nullptr; }

 private:
  friend class Transactions;
  void on_timer();
  void receive_again();
  void receive_ack();
  [[nodiscard]] bool is_datagram() const noexcept { return path_.transport == Transport::udp; }

  Transactions& layer_;
  TransactionUser* user_;
  Timer timer_;
  std::int64_t deadline_us_ = 0;
  std::int64_t interval_us_ = 0;
  Bytes key_;
  Bytes head_;
  Bytes response_;
  Path path_;
  std::uint64_t hash_ = 0;
  ServerTransaction* next_ = nullptr;
  ServerTransaction** link_ = nullptr;
  std::uint64_t merge_hash_ = 0;  // Call-ID, From tag, CSeq of an INVITE outside dialogs
  ServerTransaction* merge_next_ = nullptr;
  ServerTransaction** merge_link_ = nullptr;
  std::uint32_t slot_;
  std::uint32_t cseq_ = 0;
  Method method_;
  State state_ = State::proceeding;
  bool is_acknowledged_ = false;
  bool is_dropped_ = false;
};

/// All transactions of one worker.
///
/// Threading: loop-bound.
class Transactions {
 public:
  Transactions(unsigned worker, const StackConfig& config, io::Loop& loop, Random& random,
               const KeyedHash::Key& key, StackCounters& counters, TransactionHost& host);
  ~Transactions();

  ClientTransaction& create_client(Method method, TransactionUser* user);
  void discard(ClientTransaction& transaction) {
    destroy(transaction);
  }  ///< One that was never started.
  /// The living transaction of a token; nullptr when it has ended.
  [[nodiscard]] ClientTransaction* client_at(const Token& token) noexcept;
  /// `is_initial`: outside any dialog, to be found by is_merged().
  ServerTransaction& create_server(const Message& request, const Path& path, TransactionUser* user,
                                   bool is_initial);

  /// Passes a response to its transaction; false when there is none.
  bool receive(const Message& response, const Path& from);
  /// The transaction that a request repeats, an ACK to a failure confirms, or a CANCEL means;
  /// nullptr when none. A repeated request and such an ACK are dealt with here.
  ServerTransaction* receive_request(const Message& request);
  /// The same request came over another path (RFC 3261 section 8.2.2.2). Call after
  /// receive_request() found nothing.
  [[nodiscard]] bool is_merged(const Message& request) const noexcept;

  /// Ends the unanswered requests to a peer that cannot be reached. `connection` unset: those over
  /// UDP.
  void on_unreachable(const SocketAddress& remote, ConnectionId connection, io::StreamFault fault);

  [[nodiscard]] std::size_t live() const noexcept { return clients_.live() + servers_.live(); }

  [[nodiscard]] const Timing& timing() const noexcept { return timing_; }
  [[nodiscard]] KeyedHash hash() const noexcept { return KeyedHash(key_); }

  /// Gives back memory that no transaction needs, a piece at a time.
  void keep_up(Upkeep& upkeep);
  /// Of pools and tables.
  [[nodiscard]] std::size_t bytes_held() const noexcept;
  /// They hold no more than they always do.
  [[nodiscard]] bool is_settled() const noexcept;

 private:
  friend class ClientTransaction;
  friend class ServerTransaction;
  static constexpr std::size_t destination_buckets = 1024;

  [[nodiscard]] std::int64_t now_us() const noexcept { return loop_.clock().monotonic_us(); }
  [[nodiscard]] std::uint64_t merge_hash(const Message& request) const noexcept;
  [[nodiscard]] ServerTransaction* find(const ServerKey& key) const noexcept;
  void destroy(ClientTransaction& transaction);
  void destroy(ServerTransaction& transaction);
  void link_destination(ClientTransaction& transaction) noexcept;

  using ByKey = ChainTable<ServerTransaction, &ServerTransaction::hash_, &ServerTransaction::next_,
                           &ServerTransaction::link_>;
  using ByMerge = ChainTable<ServerTransaction, &ServerTransaction::merge_hash_,
                             &ServerTransaction::merge_next_, &ServerTransaction::merge_link_>;

  unsigned worker_;
  Timing timing_;
  io::Loop& loop_;
  Random& random_;
  KeyedHash::Key key_;
  StackCounters& counters_;
  // Their own: what dialogs keep lives longer.
  BufferPool buffers_;
  TransactionHost& host_;
  ByKey by_key_;
  ByMerge by_merge_;
  std::array<ClientTransaction*, destination_buckets> by_destination_{};
  std::unique_ptr<Message> own_;  // our own request while an ACK or a CANCEL is made from it
  // Last, so that they go first: transactions take themselves out of the tables.
  SlabPool<ClientTransaction> clients_;
  SlabPool<ServerTransaction> servers_;
};

}  // namespace tandem::sip
