#include "sip/transaction.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <numeric>

#include "sip/transport.hpp"
#include "sip/writer.hpp"

namespace tandem::sip {
namespace {

/// ACK to a failure, or CANCEL: the request again without its body, with the same Request-URI, top
/// Via, From, Call-ID, CSeq number and Route (RFC 3261 sections 9.1 and 17.1.1.3).
void write_companion(MessageWriter& writer, const Message& invite, std::string_view method,
                     std::string_view to, std::string_view reason) {
  writer.request_line(method, invite.request_uri);
  writer.header("Via", invite.vias[0].value);
  writer.header("Max-Forwards", 70);
  writer.header("From", invite.from.value);
  writer.copy("To", to);
  writer.header("Call-ID", invite.call_id);
  char number[12];
  const auto end = std::to_chars(number, number + sizeof(number), invite.cseq).ptr;
  writer.header("CSeq",
                {std::string_view(number, static_cast<std::size_t>(end - number)), " ", method});
  writer.copy_all(invite, HeaderId::route);
  if (method == "ACK") {
    // The ACK carries the credentials of its INVITE (RFC 3261 section 22.1).
    writer.copy_all(invite, HeaderId::authorization);
    writer.copy_all(invite, HeaderId::proxy_authorization);
  }
  if (!reason.empty()) writer.header("Reason", reason);
  writer.finish();
}

}  // namespace

// Client side.

ClientTransaction::ClientTransaction(std::uint32_t slot, Transactions& layer, Method method,
                                     TransactionUser* user) noexcept
    : layer_(layer),
      user_(user),
      random_(layer.random_.next()),
      timer_(Timer::member<&ClientTransaction::on_timer, ClientTransaction>(), this),
      slot_(slot),
      method_(method) {}

ClientTransaction::~ClientTransaction() {
  if (link_ != nullptr) {
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
  }
}

Token ClientTransaction::token() const noexcept {
  return {static_cast<std::uint8_t>(layer_.worker_), slot_, random_};
}

void ClientTransaction::start(const Path& path, std::uint32_t cseq, std::string_view request) {
  path_ = path;
  cseq_ = last_cseq_ = cseq;
  message_.assign(layer_.buffers_, request);
  const Timing& timing = layer_.timing_;
  deadline_us_ = layer_.now_us() + timing.request_timeout_us();
  is_unsendable_ = !layer_.host_.send(path_, request);
  layer_.link_destination(*this);
  sent_ = 1;
  interval_us_ = is_datagram() ? timing.wait_us(sent_, 0, method_ == Method::invite) : 0;
  layer_.loop_.timers().start(
      timer_, is_unsendable_ ? 0 : (interval_us_ > 0 ? interval_us_ : timing.request_timeout_us()));
}

void ClientTransaction::resend() {
  bump(layer_.counters_.retransmissions);
  // A failure shows as silence: the timer of this transaction ends it.
  (void)layer_.host_.send(path_, message_.view());
}

void ClientTransaction::on_timer() {
  if (is_unsendable_) return fail(true);
  const std::int64_t left_us = deadline_us_ - layer_.now_us();
  if (left_us > 0) {
    if (interval_us_ > 0) {
      resend();
      if (state_ == State::proceeding) {
        interval_us_ = layer_.timing_.t2_us;
      } else {
        sent_ = static_cast<std::uint8_t>(std::min(sent_ + 1, 255));
        interval_us_ = layer_.timing_.wait_us(sent_, interval_us_, method_ == Method::invite);
      }
    }
    // The clock was ahead of the wheel when it began to linger.
    if (has_final() && interval_us_ == 0)
      return layer_.loop_.timers().start_shared(timer_, left_us);
    layer_.loop_.timers().start(timer_,
                                interval_us_ > 0 ? std::min(interval_us_, left_us) : left_us);
    return;
  }
  if (has_final()) {
    layer_.destroy(*this);  // timers D, K, M
  } else if (method_ == Method::invite && state_ == State::proceeding && !is_cancelled_) {
    cancel({});  // see limit_wait()
  } else {
    fail(false);  // timers B, F, and 64*T1 after CANCEL
  }
}

void ClientTransaction::fail(bool is_transport) {
  state_ = State::completed;
  is_busy_ = true;
  if (TransactionUser* user = std::exchange(user_, nullptr))
    user->on_no_response(*this, is_transport);
  layer_.destroy(*this);
}

void ClientTransaction::complete(std::int64_t linger_us) {
  interval_us_ = 0;
  if (linger_us <= 0) {
    is_finished_ = true;
    return;
  }
  deadline_us_ = layer_.now_us() + linger_us;
  layer_.loop_.timers().start_shared(timer_, linger_us);
}

void ClientTransaction::receive(const Message& response, const Path& from) {
  if (link_ != nullptr) {
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
    link_ = nullptr;
    next_ = nullptr;
  }
  if (is_busy_) return;
  is_unsendable_ = false;  // it answers after all
  if (method_ == Method::invite) return receive_invite(response, from);
  if (has_final()) return;
  is_busy_ = true;
  if (response.status < 200) {
    state_ = State::proceeding;
    if (user_ != nullptr) user_->on_response(*this, response, from);
  } else {
    state_ = State::completed;
    if (method_ == Method::cancel && partner_ != nullptr) partner_->is_cancel_answered_ = true;
    complete(is_datagram() ? layer_.timing_.t4_us : 0);  // timer K
    if (TransactionUser* user = std::exchange(user_, nullptr))
      user->on_response(*this, response, from);
    message_.clear();
  }
  is_busy_ = false;
  if (is_finished_) layer_.destroy(*this);
}

void ClientTransaction::receive_invite(const Message& response, const Path& from) {
  const int status = response.status;
  if (state_ == State::accepted) {
    if (status < 200 || status > 299) return;
    const std::uint64_t tag = layer_.hash().add(response.to.tag).value();
    if (tag == winner_) {
      if (!message_.empty()) {
        bump(layer_.counters_.retransmissions);
        (void)layer_.host_.send(ack_path_, message_.view());  // lost: the next 2xx asks again
      }
      return;
    }
    const auto known = std::find(forks_.begin(), forks_.end(), tag);
    const auto unused = std::find(forks_.begin(), forks_.end(), std::uint64_t{0});
    if (known == forks_.end() && unused != forks_.end()) *unused = tag;
    layer_.host_.on_fork(*this, response, known == forks_.end() && !is_within_dialog_);
    return;
  }
  if (state_ == State::completed) {
    if (status >= 300 && !message_.empty()) {
      bump(layer_.counters_.retransmissions);
      (void)layer_.host_.send(path_, message_.view());  // lost: the next response asks again
    }
    return;
  }
  is_busy_ = true;
  if (status < 200) {
    state_ = State::proceeding;
    interval_us_ = 0;
    // From here on the user decides how long to wait (P-19), unless it has given up.
    if (!is_cancelled_) timer_.cancel();
    if (user_ != nullptr) {
      user_->on_response(*this, response, from);
    } else {
      cancel({});
    }
  } else if (status < 300) {
    state_ = State::accepted;
    winner_ = layer_.hash().add(response.to.tag).value();
    complete(layer_.timing_.timeout_us());  // timer M
    if (TransactionUser* user = std::exchange(user_, nullptr)) {
      user->on_response(*this, response, from);
    } else {
      // Known from now on as an answer that nobody waits for, which is acknowledged each time.
      forks_[0] = std::exchange(winner_, 0);
      layer_.host_.on_fork(*this, response, !is_within_dialog_);
    }
    // The INVITE; an ACK may follow. That of a dialog whose answer nobody waits for says the way.
    if (!has_ack_ && (winner_ != 0 || !is_within_dialog_)) message_.clear();
  } else {
    state_ = State::completed;
    char buffer[Limits::message_bytes_max];
    MessageWriter writer(buffer, sizeof(buffer));
    if (scan(message_.view(), Framing::datagram, *layer_.own_).kind == Fault::Kind::none) {
      write_companion(writer, *layer_.own_, "ACK", response.to.value, {});
    }
    const bool has_ack = writer.ok() && !writer.view().empty();
    if (has_ack) (void)layer_.host_.send(path_, writer.view());  // lost: the response comes again
    complete(is_datagram() ? std::max<std::int64_t>(layer_.timing_.timeout_us(), 32'000'000)
                           : 0);  // timer D
    if (TransactionUser* user = std::exchange(user_, nullptr))
      user->on_response(*this, response, from);
    if (has_ack) {
      message_.assign(layer_.buffers_, writer.view());
    } else {
      message_.clear();
    }
  }
  is_busy_ = false;
  if (is_finished_) layer_.destroy(*this);
}

void ClientTransaction::acknowledge(Path path, std::string_view ack) {
  if (state_ != State::accepted) return;
  ack_path_ = path;
  has_ack_ = true;
  (void)layer_.host_.send(ack_path_, ack);  // lost: the 2xx comes again
  message_.assign(layer_.buffers_, ack);
}

void ClientTransaction::cancel(std::string_view reason) {
  if (method_ != Method::invite || state_ != State::proceeding || is_cancelled_) return;
  is_cancelled_ = true;
  deadline_us_ = layer_.now_us() + layer_.timing_.timeout_us();
  layer_.loop_.timers().start(timer_, layer_.timing_.timeout_us());
  if (scan(message_.view(), Framing::datagram, *layer_.own_).kind != Fault::Kind::none) return;
  char buffer[Limits::message_bytes_max];
  MessageWriter writer(buffer, sizeof(buffer));
  write_companion(writer, *layer_.own_, "CANCEL", layer_.own_->to.value, reason);
  if (!writer.ok()) return;
  ClientTransaction& cancel = layer_.create_client(Method::cancel, nullptr);
  cancel.partner_ = this;
  partner_ = &cancel;
  cancel.start(path_, cseq_, writer.view());
}

void ClientTransaction::abandon() {
  detach();
  if (state_ == State::proceeding) cancel({});
  if (state_ != State::calling || is_unsendable_) return;
  interval_us_ = 0;
  deadline_us_ = std::min(deadline_us_, layer_.now_us() + layer_.timing_.t4_us);
  layer_.loop_.timers().start_shared(timer_,
                                     std::max<std::int64_t>(0, deadline_us_ - layer_.now_us()));
}

void ClientTransaction::limit_wait() noexcept {
  if (method_ != Method::invite || state_ != State::proceeding || is_cancelled_) return;
  deadline_us_ = layer_.now_us() + layer_.timing_.timeout_us();
  layer_.loop_.timers().start(timer_, layer_.timing_.timeout_us());
}

// Server side.

ServerKey::ServerKey(const Message& request, std::string_view method) noexcept {
  const Via& via = request.vias[0];
  if (via.branch.substr(0, 7) == "z9hG4bK" && via.branch.size() > 7) {
    parts_ = {via.branch, via.host, {}, method};
    number_ = via.port == 0 ? 5060 : via.port;
  } else {
    parts_ = {via.value, request.call_id, request.from.tag, method};
    number_ = request.cseq;
  }
}

std::uint64_t ServerKey::hash(const KeyedHash::Key& key) const noexcept {
  KeyedHash hash(key);
  for (const std::string_view part : parts_)
    hash.add(part);
  return hash.add(number_).value();
}

bool ServerKey::equals(std::string_view stored) const noexcept {
  std::size_t size = sizeof(number_) + parts_.size() * sizeof(std::uint32_t);
  for (const std::string_view part : parts_)
    size += part.size();
  if (stored.size() != size) return false;
  const char* next = stored.data();
  if (std::memcmp(next, &number_, sizeof(number_)) != 0) return false;
  next += sizeof(number_);
  for (const std::string_view part : parts_) {
    const auto part_bytes = static_cast<std::uint32_t>(part.size());
    if (std::memcmp(next, &part_bytes, sizeof(part_bytes)) != 0) return false;
    next += sizeof(part_bytes);
    if (!part.empty() && std::memcmp(next, part.data(), part.size()) != 0) return false;
    next += part.size();
  }
  return true;
}

void ServerKey::store(Bytes& into, BufferPool& pool) const {
  char text[Limits::message_bytes_max + 64];
  char* next = text;
  const auto put = [&next](const void* bytes, std::size_t size) {
    if (size > 0) std::memcpy(next, bytes, size);
    next += size;
  };
  put(&number_, sizeof(number_));
  for (const std::string_view part : parts_) {
    const auto part_bytes = static_cast<std::uint32_t>(part.size());
    put(&part_bytes, sizeof(part_bytes));
    put(part.data(), part.size());
  }
  into.assign(pool, {text, static_cast<std::size_t>(next - text)});
}

ServerTransaction::ServerTransaction(std::uint32_t slot, Transactions& layer, Method method,
                                     TransactionUser* user) noexcept
    : layer_(layer),
      user_(user),
      timer_(Timer::member<&ServerTransaction::on_timer, ServerTransaction>(), this),
      slot_(slot),
      method_(method) {}

ServerTransaction::~ServerTransaction() {
  layer_.by_key_.remove(*this);
  layer_.by_merge_.remove(*this);
}

void ServerTransaction::set_head(std::string_view head) { head_.assign(layer_.buffers_, head); }

void ServerTransaction::respond(int status, std::string_view response) {
  if (has_final() || is_dropped_) return;
  response_.assign(layer_.buffers_, response);
  (void)layer_.host_.send(path_, response);  // lost: the request or our timer brings it again
  if (status < 200) return;
  head_.clear();
  const Timing& timing = layer_.timing_;
  if (method_ != Method::invite) {
    state_ = State::completed;
    user_ = nullptr;
    deadline_us_ = layer_.now_us() + (is_datagram() ? timing.timeout_us() : 0);  // timer J
    layer_.loop_.timers().start_shared(timer_, is_datagram() ? timing.timeout_us() : 0);
    return;
  }
  deadline_us_ = layer_.now_us() + timing.timeout_us();  // timers H, L
  if (status < 300) {
    state_ = State::accepted;
    interval_us_ = timing.t1_us;  // over every transport (RFC 3261 section 13.3.1.4)
  } else {
    state_ = State::completed;
    user_ = nullptr;
    interval_us_ = is_datagram() ? timing.t1_us : 0;  // timer G
  }
  layer_.loop_.timers().start(timer_, interval_us_ > 0 ? interval_us_ : timing.timeout_us());
}

void ServerTransaction::on_timer() {
  const std::int64_t left_us = deadline_us_ - layer_.now_us();
  if (left_us > 0) {
    if (interval_us_ > 0) {
      bump(layer_.counters_.retransmissions);
      (void)layer_.host_.send(path_, response_.view());  // lost: once more after the interval
      interval_us_ = std::min(2 * interval_us_, layer_.timing_.t2_us);
    }
    if (has_final() && interval_us_ == 0)
      return layer_.loop_.timers().start_shared(timer_, left_us);
    layer_.loop_.timers().start(timer_,
                                interval_us_ > 0 ? std::min(interval_us_, left_us) : left_us);
    return;
  }
  if (state_ == State::proceeding && !is_dropped_) {
    if (user_ != nullptr) user_->on_unanswered(*this);
    if (!has_final()) layer_.destroy(*this);
    return;
  }
  const bool is_unacknowledged = state_ == State::accepted && !is_acknowledged_;
  if (is_unacknowledged && user_ != nullptr) std::exchange(user_, nullptr)->on_no_ack(*this);
  layer_.destroy(*this);
}

void ServerTransaction::receive_again() {
  // An accepted INVITE absorbs (RFC 6026 section 7.1): its user's timer repeats the 2xx.
  if (state_ == State::accepted || state_ == State::confirmed || response_.empty()) return;
  bump(layer_.counters_.retransmissions);
  (void)layer_.host_.send(path_, response_.view());  // lost: the sender repeats its request
}

void ServerTransaction::repeat_provisional() {
  if (has_final() || is_dropped_ || response_.empty()) return;
  bump(layer_.counters_.retransmissions);
  (void)layer_.host_.send(path_, response_.view());  // lost: once more, or the request asks for it
}

void ServerTransaction::receive_ack() {
  if (state_ != State::completed) return;
  state_ = State::confirmed;
  response_.clear();
  interval_us_ = 0;
  const std::int64_t linger_us = is_datagram() ? layer_.timing_.t4_us : 0;  // timer I
  deadline_us_ = layer_.now_us() + linger_us;
  layer_.loop_.timers().start_shared(timer_, linger_us);
}

void ServerTransaction::stop_answer() {
  if (state_ != State::accepted || is_acknowledged_) return;
  is_acknowledged_ = true;
  user_ = nullptr;
  response_.clear();
  interval_us_ = 0;
  layer_.loop_.timers().start_shared(timer_,
                                     std::max<std::int64_t>(deadline_us_ - layer_.now_us(), 0));
}

void ServerTransaction::drop() {
  if (has_final()) return;
  is_dropped_ = true;
  user_ = nullptr;
  head_.clear();
  response_.clear();
  interval_us_ = 0;
  deadline_us_ = layer_.now_us() + layer_.timing_.timeout_us();
  layer_.loop_.timers().start_shared(timer_, layer_.timing_.timeout_us());
}

// The layer.

namespace {
// Two for each transaction that may be there: under the highest load there need not be four.
std::size_t buckets_max(const StackConfig& config) noexcept {
  return std::bit_ceil(2 *
                       std::clamp<std::size_t>(config.transactions_max, 512, std::size_t{1} << 22));
}
}  // namespace

Transactions::Transactions(unsigned worker, const StackConfig& config, io::Loop& loop,
                           Random& random, const KeyedHash::Key& key, StackCounters& counters,
                           TransactionHost& host)
    : worker_(worker),
      timing_{config.t1_us, config.t2_us, config.t4_us, config.resend_us,
              std::accumulate(config.resend_us.begin(), config.resend_us.end(), std::int64_t{0})},
      loop_(loop),
      random_(random),
      key_(key),
      counters_(counters),
      host_(host),
      by_key_(buckets_max(config)),
      by_merge_(buckets_max(config)),
      own_(new Message) {}

Transactions::~Transactions() = default;

void Transactions::keep_up(Upkeep& upkeep) {
  clients_.keep_up(upkeep);
  servers_.keep_up(upkeep);
  buffers_.keep_up(upkeep);
  by_key_.keep_up(upkeep);
  by_merge_.keep_up(upkeep);
}

std::size_t Transactions::bytes_held() const noexcept {
  return clients_.bytes_held() + servers_.bytes_held() + buffers_.bytes_held() +
         by_key_.bytes_held() + by_merge_.bytes_held();
}

bool Transactions::is_settled() const noexcept {
  return clients_.is_settled() && servers_.is_settled() && buffers_.is_settled() &&
         by_key_.is_settled() && by_merge_.is_settled();
}

ClientTransaction& Transactions::create_client(Method method, TransactionUser* user) {
  if (live() == 0) host_.on_first_transaction();
  bump(counters_.transactions_live);
  return clients_.create(*this, method, user);
}

ServerTransaction& Transactions::create_server(const Message& request, const Path& path,
                                               TransactionUser* user, bool is_initial) {
  if (live() == 0) host_.on_first_transaction();
  bump(counters_.transactions_live);
  ServerTransaction& transaction = servers_.create(*this, request.method, user);
  transaction.path_ = path;
  transaction.path_.fallback_port =
      request.vias[0].port == 0 ? default_port(path.transport) : request.vias[0].port;
  transaction.cseq_ = request.cseq;
  const ServerKey key(request, request.method_token);
  key.store(transaction.key_, buffers_);
  transaction.hash_ = key.hash(key_);
  by_key_.insert(transaction);
  if (is_initial) {
    transaction.merge_hash_ = merge_hash(request);
    by_merge_.insert(transaction);
  }
  if (request.method != Method::invite) {
    // No request may wait for ever: its sender gives up at this time (RFC 4320).
    transaction.deadline_us_ = now_us() + timing_.timeout_us();
    loop_.timers().start(transaction.timer_, timing_.timeout_us());
  }
  return transaction;
}

std::uint64_t Transactions::merge_hash(const Message& request) const noexcept {
  return hash().add(request.call_id).add(request.from.tag).add(request.cseq).value();
}

bool Transactions::is_merged(const Message& request) const noexcept {
  // A keyed hash of 64 bits: nobody without the key can make two calls meet, so the strings need
  // not be kept.
  const std::uint64_t hash = merge_hash(request);
  for (const ServerTransaction* t = by_merge_.chain(hash); t != nullptr; t = t->merge_next_) {
    if (t->merge_hash_ == hash) return true;
  }
  return false;
}

ServerTransaction* Transactions::find(const ServerKey& key) const noexcept {
  const std::uint64_t hash = key.hash(key_);
  for (ServerTransaction* t = by_key_.chain(hash); t != nullptr; t = t->next_) {
    if (t->hash_ == hash && key.equals(t->key_.view())) return t;
  }
  return nullptr;
}

ServerTransaction* Transactions::receive_request(const Message& request) {
  const bool is_companion = request.method == Method::ack || request.method == Method::cancel;
  const ServerKey key(request, is_companion ? method_name(Method::invite) : request.method_token);
  ServerTransaction* transaction = find(key);
  if (transaction == nullptr || request.method == Method::cancel) return transaction;
  if (request.method == Method::ack) {
    transaction->receive_ack();
  } else {
    transaction->receive_again();
  }
  return transaction;
}

ClientTransaction* Transactions::client_at(const Token& token) noexcept {
  ClientTransaction* transaction = clients_.at(token.slot);
  return transaction != nullptr && transaction->random_ == token.random ? transaction : nullptr;
}

bool Transactions::receive(const Message& response, const Path& from) {
  Token token;
  if (response.via_count != 1 || !parse_branch(response.vias[0].branch, token) ||
      token.worker != worker_)
    return false;
  ClientTransaction* transaction = client_at(token);
  if (transaction == nullptr) return false;
  if (response.cseq_method == Method::cancel && transaction->method_ == Method::invite) {
    transaction = transaction->partner_;
    if (transaction == nullptr) return false;
  }
  if (response.cseq_method != transaction->method_ || response.cseq != transaction->cseq_)
    return false;
  if (transaction->user_ != nullptr && !transaction->user_->owns(response)) return false;
  transaction->receive(response, from);
  return true;
}

void Transactions::link_destination(ClientTransaction& transaction) noexcept {
  ClientTransaction*& bucket =
      by_destination_[std::hash<SocketAddress>{}(transaction.path_.remote) % destination_buckets];
  transaction.next_ = bucket;
  transaction.link_ = &bucket;
  if (bucket != nullptr) bucket->link_ = &transaction.next_;
  bucket = &transaction;
}

void Transactions::on_unreachable(const SocketAddress& remote, ConnectionId connection,
                                  io::StreamFault fault) {
  const auto is_meant = [&](const ClientTransaction& t) {
    return t.path_.remote == remote && t.path_.connection == connection &&
           t.path_.is_stream() == connection.is_set();
  };
  // Each is told from its own timer at the next tick, so that no user changes this list while it is
  // walked.
  for (ClientTransaction* t =
           by_destination_[std::hash<SocketAddress>{}(remote) % destination_buckets];
       t != nullptr; t = t->next_) {
    if (!is_meant(*t)) continue;
    t->is_unsendable_ = true;
    t->fault_ = fault;
    loop_.timers().start(t->timer_, 0);
  }
}

void Transactions::destroy(ClientTransaction& transaction) {
  if (ClientTransaction* partner = transaction.partner_) {
    partner->partner_ = nullptr;
    transaction.partner_ = nullptr;
    // With its INVITE gone no response finds the CANCEL any more.
    if (transaction.method_ == Method::invite) destroy(*partner);
  }
  bump(counters_.transactions_live, -1);
  clients_.destroy(transaction);
}

void Transactions::destroy(ServerTransaction& transaction) {
  bump(counters_.transactions_live, -1);
  servers_.destroy(transaction);
}

}  // namespace tandem::sip
