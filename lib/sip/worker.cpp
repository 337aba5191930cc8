#include "sip/worker.hpp"

#include <algorithm>

#include "sip/contact.hpp"
#include "sip/portability.hpp"
#include "sip/referral.hpp"
#include "sip/register_request.hpp"

namespace tandem::sip {
namespace {

// What new calls get of a turn. Between two turns the sockets are read, and all that belongs to
// known calls is served: the shorter this is, the fewer of those the system must drop.
constexpr std::int64_t new_calls_us = 2'000;
constexpr std::int64_t new_calls_crowded_us = 500;  // when the last turn brought more than ...
constexpr std::uint32_t crowd = 128;                // ... so many messages
constexpr std::uint32_t refusals_per_turn = 64;     // by 503; the others are not answered at all

// Pools and tables are as large as the most that was alive at once until they are looked after:
// 32 pieces of some 64 KiB each time, which hold a worker up for less than a millisecond.
constexpr std::int64_t upkeep_us = 250'000;

/// An INVITE that is of no dialog yet.
bool is_new_invite(std::string_view bytes) noexcept {
  OwnerKey key;
  return bytes.starts_with("INVITE ") && scan_owner(bytes, key) && key.is_request &&
         key.to_tag.empty();
}

bool lists_sdp(const Message& request) noexcept {
  bool has_accept = false;
  for (std::size_t i = 0; i < request.header_count; ++i) {
    if (request.headers[i].id != HeaderId::accept) continue;
    has_accept = true;
    std::string_view list = request.headers[i].value;
    while (!list.empty()) {
      std::string_view range = next_element(list);
      range = range.substr(0, range.find(';'));
      while (!range.empty() && (range.back() == ' ' || range.back() == '\t'))
        range.remove_suffix(1);
      while (!range.empty() && (range.front() == ' ' || range.front() == '\t'))
        range.remove_prefix(1);
      for (const std::string_view wanted : {"application/sdp", "application/*", "*/*"}) {
        if (equals_ignoring_case(range, wanted)) return true;
      }
    }
  }
  return !has_accept;
}

}  // namespace

StackWorker::StackWorker(unsigned index, StackShared& shared, io::Loop& loop, InboundCalls& inbound,
                         Random& random, Log& log)
    : index_(index),
      shared_(shared),
      loop_(loop),
      inbound_(inbound),
      random_(random),
      log_(log),
      tap_(shared.config.recorder != nullptr ? &shared.config.recorder->tap(index) : nullptr),
      digest_(shared.digest_secret),
      transports_(index, shared.config, shared.tls, shared.hash_key, loop, counters_, log, *this),
      transactions_(index, shared.config, loop, random, shared.hash_key, counters_, *this),
      scratch_(new char[scratch_bytes]),
      message_(new Message),
      own_message_(new Message),
      arrivals_(shared.config.arrivals_max, shared.config.arrival_bytes_max),
      load_due_(Timer::member<&StackWorker::look_at_load, StackWorker>(), this),
      upkeep_due_(Timer::member<&StackWorker::keep_up, StackWorker>(), this),
      touched_(shared.workers.size()) {
  tell_memory();
}

StackWorker::~StackWorker() = default;

std::unique_ptr<Leg> StackWorker::call(const OutboundCall& call, LegEvents& events) {
  bump(counters_.calls_out);
  return dialogs_.create(*this, Dialog::Role::outbound).call(call, events);
}

std::optional<unsigned> StackWorker::owner_of(const DialogName& dialog) const noexcept {
  Token token;
  if (!Token::parse(dialog.own_tag, token) || token.worker >= shared_.workers.size())
    return std::nullopt;
  return token.worker;
}

Leg* StackWorker::find(const DialogName& dialog) noexcept {
  const Dialog* const found = find_dialog(dialog.own_tag);
  return found != nullptr && found->is_up_as(dialog) ? found->leg() : nullptr;
}

DialogMatch StackWorker::match(const DialogName& dialog) noexcept {
  Dialog* const found = find_dialog(dialog.own_tag);
  return found != nullptr ? found->match(dialog) : DialogMatch();
}

void StackWorker::keep_alive(const SocketAddress& destination, const SocketAddress& local,
                             std::string_view bytes) {
  auto path = transports_.path_to(Transport::udp, destination, local);
  if (path) (void)transports_.send(*path, bytes);  // lost: the next one is soon
}

void StackWorker::destroy(Dialog& dialog) { dialogs_.destroy(dialog); }

void StackWorker::on_first_transaction() {
  if (!upkeep_due_.is_pending()) loop_.timers().start(upkeep_due_, upkeep_us);
}

void StackWorker::tell_memory() noexcept {
  counters_.memory_bytes.store(
      transactions_.bytes_held() + dialogs_.bytes_held() + buffers_.bytes_held(),
      std::memory_order_relaxed);
}

void StackWorker::keep_up() {
  Upkeep upkeep;
  transactions_.keep_up(upkeep);
  dialogs_.keep_up(upkeep);
  buffers_.keep_up(upkeep);
  tell_memory();
  // Whatever comes or goes later does so by a transaction.
  if (transactions_.live() > 0 || !transactions_.is_settled() || !dialogs_.is_settled() ||
      !buffers_.is_settled())
    loop_.timers().start(upkeep_due_, upkeep_us);
}

bool StackWorker::is_full(bool is_in_dialog) const noexcept {
  const std::size_t most = shared_.config.transactions_max;
  return transactions_.live() >= (is_in_dialog ? most + most / 2 : most);
}

// To the owner.

unsigned StackWorker::owner(std::string_view bytes) const noexcept {
  OwnerKey key;
  if (!scan_owner(bytes, key)) return index_;  // whoever has it may refuse it
  const auto workers = static_cast<unsigned>(shared_.workers.size());
  Token token;
  if (!key.is_request)
    return parse_branch(key.branch, token) && token.worker < workers ? token.worker : index_;
  if (Token::parse(key.to_tag, token) && token.worker < workers) return token.worker;
  return static_cast<unsigned>(KeyedHash(shared_.hash_key).add(key.call_id).value() % workers);
}

bool StackWorker::hand_over(unsigned to, HandoverRing::Kind kind, const Path& path,
                            std::string_view bytes) {
  HandoverRing& ring = *shared_.rings[index_ * shared_.workers.size() + to];
  // The rest is kept for what belongs to known calls.
  const bool must_wait =
      kind == HandoverRing::Kind::message && ring.is_crowded() && is_new_invite(bytes);
  if (must_wait || !ring.push(kind, path, bytes)) {
    bump(counters_.handover_drops);
    return false;
  }
  bump(counters_.handed_over);
  touched_[to] = true;
  if (!is_waking_) {
    is_waking_ = true;
    loop_.defer([this] {
      is_waking_ = false;
      for (std::size_t i = 0; i < touched_.size(); ++i) {
        if (!touched_[i]) continue;
        touched_[i] = false;
        shared_.workers[i]->wake();
      }
    });
  }
  return true;
}

void StackWorker::wake() {
  if (is_woken_.exchange(true)) return;  // it has not looked yet
  if (!loop_.post([this] { drain_rings(); }).ok()) is_woken_.store(false);
}

void StackWorker::drain_rings() {
  // First, so that what comes while this looks wakes it again.
  is_woken_.store(false);
  const std::size_t workers = shared_.workers.size();
  for (std::size_t from = 0; from < workers; ++from) {
    if (from == index_) continue;
    HandoverRing& ring = *shared_.rings[from * workers + index_];
    HandoverRing::Record record;
    // What is there now, not what may come: a fast sender must not keep this loop from its timers.
    for (std::size_t left = 4096; left > 0 && ring.peek(record); --left) {
      switch (record.kind) {
        case HandoverRing::Kind::message:
          (void)receive(record.bytes, record.path);  // the stream, if any, belongs to the sender
          break;
        case HandoverRing::Kind::output:
          (void)transports_.send(record.path, record.bytes);  // counted there
          break;
        case HandoverRing::Kind::unreachable:
          transactions_.on_unreachable(record.path.remote, {}, io::StreamFault::none);
          break;
      }
      ring.release();
    }
    if (ring.peek(record)) wake();
  }
}

// In and out.

bool StackWorker::on_bytes(std::string_view bytes, const Path& path) {
  if (shared_.config.register_gate != nullptr && is_register(bytes) &&
      !admit_register(bytes, path)) {
    return true;
  }
  if (shared_.workers.size() > 1) {
    const unsigned to = owner(bytes);
    if (to != index_) {
      // A full ring drops, as the network may; but nobody repeats what came on a stream.
      if (!hand_over(to, HandoverRing::Kind::message, path, bytes) && path.is_stream() &&
          is_new_invite(bytes))
        shed(bytes, path, loop_.clock().monotonic_us());
      return true;
    }
  }
  return receive(bytes, path);
}

bool StackWorker::is_of_old(std::string_view bytes) const {
  OwnerKey key;
  if (!scan_owner(bytes, key)) return false;
  return !key.is_request || !key.to_tag.empty() || bytes.starts_with("ACK ") ||
         bytes.starts_with("CANCEL ");
}

bool StackWorker::receive(std::string_view bytes, const Path& path) {
  if (tap_ != nullptr && tap_->is_on()) record(bytes, path, false, false);
  ++turn_messages_;
  if (is_new_invite(bytes)) {
    const std::int64_t now_us = loop_.clock().monotonic_us();
    if (!may_begin_now(now_us)) {
      let_wait(bytes, path, now_us);
      return true;
    }
    if (was_refused(bytes, now_us)) {
      shed(bytes, path, now_us);
      return true;
    }
    meter_.note_taken(false, now_us);
    note_load(now_us);
  }
  return read(bytes, path);
}

// New calls under overload. What is known comes first, whatever the load: a call that was taken
// ends as it should, and its charge with it. New calls share what is left, in their order.

/// Nothing waits, and this turn has not lasted for long.
bool StackWorker::may_begin_now(std::int64_t now_us) {
  if (!arrivals_.empty()) return false;
  if (turn_began_us_ >= 0) return now_us - turn_began_us_ < new_calls_us;
  turn_began_us_ = now_us;
  loop_.defer([this] {
    turn_began_us_ = -1;
    if (!arrivals_.empty()) return;
    turn_messages_ = 0;
    refusals_left_ = refusals_per_turn;
  });
  return true;
}

void StackWorker::let_wait(std::string_view bytes, const Path& path, std::int64_t now_us) {
  if (!arrivals_.push(path, bytes, now_us, false)) return shed(bytes, path, now_us);
  bump(counters_.arrivals_waited);
  schedule_arrivals();
}

/// In the next turn, behind the sockets.
void StackWorker::schedule_arrivals() {
  if (std::exchange(are_arrivals_scheduled_, true)) return;
  const auto take = [this] {
    are_arrivals_scheduled_ = false;
    take_arrivals();
  };
  if (!loop_.post(take)) loop_.defer(take);  // full of tasks: then at the end of this turn
}

void StackWorker::take_arrivals() {
  refusals_left_ = refusals_per_turn;
  const std::int64_t most_us = turn_messages_ > crowd ? new_calls_crowded_us : new_calls_us;
  turn_messages_ = 0;
  const std::int64_t began_us = loop_.clock().monotonic_us();
  std::int64_t now_us = began_us;
  while (!arrivals_.empty() && now_us - began_us < most_us) {
    const Arrivals::Arrival& arrival = arrivals_.front();
    const bool is_call = !arrival.bytes.starts_with("CANCEL ");
    const bool is_late = now_us - arrival.at_us > shared_.config.arrival_wait_us;
    if (is_call && (is_late || was_refused(arrival.bytes, now_us))) {
      shed(arrival.bytes, arrival.path, now_us);
    } else {
      if (is_call) meter_.note_taken(true, now_us);
      is_arrival_ = true;
      (void)read(arrival.bytes, arrival.path);  // a stream was framed before
      is_arrival_ = false;
    }
    arrivals_.pop();
    now_us = loop_.clock().monotonic_us();
  }
  note_load(now_us);
  if (!arrivals_.empty()) schedule_arrivals();
}

/// Refuses a new call for want of time, while that costs little; then nothing is said, and its
/// caller repeats it. On a stream nobody does, and a peer that is not read from sends no more.
void StackWorker::shed(std::string_view bytes, const Path& path, std::int64_t now_us) {
  meter_.note_shed(now_us);
  note_load(now_us);
  if (refusals_left_ == 0 && !path.is_stream()) return bump(counters_.overload_dropped);
  if (refusals_left_ > 0) --refusals_left_;
  Message& message = *message_;
  const Framing framing = path.is_byte_stream() ? Framing::stream : Framing::datagram;
  if (scan(bytes, framing, message).kind != Fault::Kind::none)
    return bump(counters_.malformed_dropped);
  bump(counters_.messages_received);
  // A repetition of what was taken before.
  if (transactions_.receive_request(message) != nullptr) return;
  bump(counters_.overload_refused);
  refused_.note(repetition_key(bytes), now_us);
  // Who is told how much to keep back must not stop altogether.
  const bool is_told = takes_overload_feedback(message.vias[0]);
  refuse(message, path, 503, {}, {}, is_told ? 0 : static_cast<int>(1 + random_.below(4)));
}

/// What is repeated is repeated as it was (RFC 3261 section 17.1.1.2).
std::uint64_t StackWorker::repetition_key(std::string_view bytes) const noexcept {
  return KeyedHash(shared_.hash_key).add(bytes).value();
}

bool StackWorker::was_refused(std::string_view bytes, std::int64_t now_us) const noexcept {
  return refused_.are_any(now_us) && refused_.has(repetition_key(bytes), now_us);
}

void StackWorker::note_load(std::int64_t now_us) {
  const unsigned loss_percent = meter_.loss_percent(now_us);
  counters_.overload_loss_percent.store(loss_percent, std::memory_order_relaxed);
  // It falls without new calls, too, and then nobody else looks.
  if (loss_percent > 0 && !load_due_.is_pending())
    loop_.timers().start(load_due_, OverloadMeter::period_us);
}

void StackWorker::look_at_load() { note_load(loop_.clock().monotonic_us()); }

std::string StackWorker::load_for(const Message& request) {
  if (request.via_count == 0 || !takes_overload_feedback(request.vias[0])) return {};
  return overload_parameters(meter_.loss_percent(loop_.clock().monotonic_us()),
                             loop_.clock().wall_us());
}

/// Reads a message and does what it asks for. False: the stream cannot be read any further.
bool StackWorker::read(std::string_view bytes, const Path& path) {
  reading_ = bytes;
  Message& message = *message_;
  const bool is_byte_stream = path.is_byte_stream();
  const Fault fault = scan(bytes, is_byte_stream ? Framing::stream : Framing::datagram, message);
  switch (fault.kind) {
    case Fault::Kind::none:
      break;
    case Fault::Kind::answer:
      bump(counters_.malformed_answered);
      if (message.method != Method::ack) refuse(message, path, fault.status, fault.text);
      // What follows in the stream can be read only when the end of this message is known.
      return !is_byte_stream || message.size == bytes.size();
    default: {
      const bool is_keep_alive =
          bytes.size() <= 4 && bytes.find_first_not_of("\r\n") == std::string_view::npos;
      if (!is_keep_alive) bump(counters_.malformed_dropped);
      return !path.is_stream() || is_keep_alive;
    }
  }
  bump(counters_.messages_received);
  if (message.is_request) {
    on_request(message, path);
  } else if (!transactions_.receive(message, path)) {
    bump(counters_.strays_dropped);
  }
  return true;
}

bool StackWorker::send(Path& path, std::string_view bytes) {
  const bool is_sent =
      transports_.serves(path)
          ? transports_.send(path, bytes)
          : hand_over(path.connection.worker, HandoverRing::Kind::output, path, bytes);
  if (tap_ != nullptr && tap_->is_on()) record(bytes, path, true, !is_sent);
  return is_sent;
}

void StackWorker::record(std::string_view bytes, const Path& path, bool is_sent, bool is_lost) {
  tap_->on_message({is_sent, is_lost, path.transport, transports_.advertised(path), path.remote},
                   bytes);
}

// An ICMP error comes to any of the sockets that share a port, whichever sent what it is about.
void StackWorker::on_unreachable(const SocketAddress& remote, ConnectionId connection,
                                 io::StreamFault fault) {
  transactions_.on_unreachable(remote, connection, fault);
  if (connection.is_set()) return;
  Path path;
  path.remote = remote;
  for (unsigned to = 0; to < shared_.workers.size(); ++to) {
    // Lost for want of room: the timers of the transactions notice later.
    if (to != index_) (void)hand_over(to, HandoverRing::Kind::unreachable, path, {});
  }
}

void StackWorker::on_connection_closed(ConnectionId connection) {
  inbound_.on_flow_closed({connection.worker, connection.serial});
}

// Requests.

Dialog* StackWorker::find_dialog(std::string_view tag) noexcept {
  Token token;
  if (!Token::parse(tag, token) || token.worker != index_) return nullptr;
  Dialog* dialog = dialogs_.at(token.slot);
  return dialog != nullptr && dialog->random() == token.random ? dialog : nullptr;
}

void StackWorker::refuse(const Message& request, const Path& from, int status,
                         std::string_view phrase, std::string_view lines, int retry_after_s,
                         std::string_view tag) {
  Token::Text made;
  if (tag.empty()) {
    // The same request gets the same tag without anything being kept (RFC 3261 section 8.2.7).
    Token token;
    token.worker = static_cast<std::uint8_t>(index_);
    token.random = KeyedHash(shared_.hash_key)
                       .add(request.call_id)
                       .add(request.from.tag)
                       .add(request.vias[0].branch)
                       .value();
    made = token.text();
    tag = sip::view(made);
  }
  MessageWriter writer(scratch(), scratch_bytes);
  ResponseHead head;
  head.status = status;
  head.phrase = phrase;
  head.to_tag = tag;
  head.source = from.remote;
  const std::string load = load_for(request);
  head.overload = load;
  write_response_head(writer, request, head);
  if (!shared_.server_line.empty()) writer.line(shared_.server_line);
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    writer.line(line);
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  if (retry_after_s > 0) writer.header("Retry-After", static_cast<std::uint64_t>(retry_after_s));
  writer.finish();
  if (!writer.ok()) return;
  Path path = from;
  path.fallback_port =
      request.vias[0].port == 0 ? default_port(path.transport) : request.vias[0].port;
  (void)send(path, writer.view());  // lost: the request comes again
}

bool StackWorker::is_understood(const Message& request, const Path& from) {
  std::string unsupported;
  for (std::size_t i = 0; i < request.header_count; ++i) {
    const Header& header = request.headers[i];
    if (header.id == HeaderId::require) {
      // RFC 3261 section 8.2.2.3. Session timers are a dialog's own matter, and so are reliable
      // provisional responses, which only an INVITE may require (RFC 3262 section 5).
      std::string_view list = header.value;
      while (!list.empty()) {
        const std::string_view option = next_element(list);
        if (equals_ignoring_case(option, "timer")) continue;
        if (request.method == Method::invite && equals_ignoring_case(option, "100rel")) continue;
        if (request.method == Method::register_ && equals_ignoring_case(option, "path")) continue;
        // Of the first INVITE, whose sender's settings say whether it may.
        if (request.method == Method::invite && request.to.tag.empty() &&
            equals_ignoring_case(option, "replaces"))
          continue;
        unsupported += unsupported.empty() ? "Unsupported: " : ", ";
        for (const char c : option) {
          if (c > ' ' && c < 0x7f) unsupported += c;
        }
      }
    } else if (header.id == HeaderId::content_encoding && !request.body.empty() &&
               !equals_ignoring_case(header.value, "identity")) {
      refuse(request, from, 415, {}, "Accept-Encoding: identity");
      return false;
    }
  }
  if (unsupported.empty()) return true;
  refuse(request, from, 420, {}, unsupported);
  return false;
}

void StackWorker::on_request(const Message& request, const Path& from) {
  ServerTransaction* transaction = transactions_.receive_request(request);
  if (request.method == Method::cancel) {
    if (transaction == nullptr) {
      // Its INVITE may be among those that wait.
      const std::int64_t now_us = loop_.clock().monotonic_us();
      if (!is_arrival_ && !arrivals_.empty() && arrivals_.push(from, reading_, now_us, true))
        return;
      return refuse(request, from, 481);
    }
    // Without state: a repeated CANCEL gets the same answer, and only the first one has an effect.
    // The user of an INVITE that is not over is its dialog.
    auto* dialog = static_cast<Dialog*>(transaction->user());
    if (dialog == nullptr) return refuse(request, from, 200);
    const Token::Text tag = dialog->tag();
    refuse(request, from, 200, {}, {}, 0, sip::view(tag));
    dialog->on_cancel(request, *transaction);
    return;
  }
  if (request.method == Method::ack) {
    if (transaction != nullptr && transaction->state() != ServerTransaction::State::accepted)
      return;
    Dialog* dialog = find_dialog(request.to.tag);
    if (dialog != nullptr && dialog->matches(request)) {
      dialog->on_ack(request, from);
    } else {
      bump(counters_.strays_dropped);
    }
    return;
  }
  if (transaction != nullptr) return;
  if (is_full(!request.to.tag.empty())) {
    bump(counters_.overload_refused);
    return refuse(request, from, 503, {}, {}, static_cast<int>(5 + random_.below(10)));
  }
  if (request.to.tag.empty()) return on_new_request(request, from);
  Dialog* dialog = find_dialog(request.to.tag);
  if (dialog == nullptr || !dialog->matches(request)) return refuse(request, from, 481);
  if (is_understood(request, from)) dialog->on_request(request, from);
}

void StackWorker::on_new_request(const Message& request, const Path& from) {
  switch (request.method) {
    case Method::invite:
      return on_new_invite(request, from);
    case Method::options:
      if (!is_understood(request, from)) return;
      if (shared_.is_draining.load(std::memory_order_relaxed))
        return refuse(request, from, 503, {}, {}, 60);
      if (!lists_sdp(request)) return refuse(request, from, 406);
      unescaped_.used_bytes = 0;
      return refuse(request, from, 200, {},
                    inbound_.takes_replaces(from.remote, uri_user(request.from.uri, unescaped_))
                        ? options_replaces_lines
                        : options_lines);
    case Method::register_:
      return on_register(request, from);
    case Method::publish:
      return on_publish(request, from);
    case Method::unknown:
      return refuse(request, from, 501, {}, allow_outside_line);
    case Method::bye:
    case Method::update:
    case Method::info:
    case Method::prack:
    case Method::notify:
      return refuse(request, from, 481);
    default:
      return refuse(request, from, 405, {}, allow_outside_line);
  }
}

void StackWorker::on_new_invite(const Message& request, const Path& from) {
  if (request.max_forwards == 0) return refuse(request, from, 483);
  if (transactions_.is_merged(request)) return refuse(request, from, 482);
  Uri uri;
  const bool is_tel = equals_ignoring_case(request.request_uri.substr(0, 4), "tel:");
  if (!is_tel) {
    // "sips:" is a promise about the whole way, which no other transport keeps.
    const bool is_taken = parse_uri(request.request_uri, uri) &&
                          (equals_ignoring_case(uri.scheme, "sip") ||
                           (is_over_tls(from.transport) && is_secure(request.request_uri)));
    if (!is_taken) return refuse(request, from, 416);
  }
  if (!is_understood(request, from)) return;
  if (!lists_sdp(request)) return refuse(request, from, 406, {}, accept_line);
  const SessionBody body = session_body(request);
  if (!body.empty() && !is_sdp(body)) return refuse(request, from, 415, {}, accept_line);
  if (request.contact.uri.empty()) return refuse(request, from, 400, "Missing Contact");
  bool is_replacing = false;
  const bool is_replacement_good = read_replacement(request, replacement_, is_replacing);

  bump(counters_.calls_in);
  Dialog& dialog = dialogs_.create(*this, Dialog::Role::inbound);
  ServerTransaction& transaction = transactions_.create_server(request, from, &dialog, true);
  std::unique_ptr<Leg> leg = dialog.accept(request, transaction);
  // Of somebody who may not replace others the header means nothing.
  if (!is_replacement_good) dialog.note_bad_replaces();
  unescaped_.used_bytes = 0;
  call_.source = from.remote;
  call_.local = transports_.listening()[from.listener].address;
  call_.own_host = transports_.advertised_host(from);
  call_.transport = transport_name(from.transport);
  call_.is_from_any_page =
      is_websocket(from.transport) && transports_.listening()[from.listener].origins.empty();
  call_.call_id = request.call_id;
  call_.request_user = uri_user(request.request_uri, unescaped_);
  call_.portability = portability(request.request_uri);
  named_parties_.deliver(request, unescaped_);
  call_.parties = &named_parties_;
  call_.from_user = uri_user(request.from.uri, unescaped_);
  call_.from_display = display_name(request.from.display, unescaped_);
  call_.from_host = parse_uri(request.from.uri, uri) ? uri.host : std::string_view{};
  const Header* product = request.find(HeaderId::user_agent);
  call_.user_agent = product == nullptr ? std::string_view{} : product->value;
  call_.max_forwards = request.max_forwards < 0 ? 70 : request.max_forwards;
  call_.body = body;
  call_.replaces = is_replacing && is_replacement_good ? &replacement_ : nullptr;
  collect_passed_headers(request, call_.headers);
  inbound_.on_call(std::move(leg), call_);
  dialog.finish_arrival();
}

}  // namespace tandem::sip
