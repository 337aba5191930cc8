#include "sip/dialog.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "sip/content.hpp"
#include "sip/overload.hpp"
#include "sip/reason.hpp"
#include "sip/referral.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

const std::vector<PassedHeader> no_headers;

/// A number as text, for values put together from parts.
struct Decimal {
  char digits[12];
  std::size_t size;
  explicit Decimal(std::uint32_t number) noexcept
      : size(static_cast<std::size_t>(std::to_chars(digits, digits + sizeof(digits), number).ptr -
                                      digits)) {}
  [[nodiscard]] std::string_view view() const noexcept { return {digits, size}; }
};

/// The URI of a Route or Record-Route value, and whether its router is a loose one (RFC 3261
/// section 19.1.1).
bool read_route(std::string_view value, std::string_view& uri, Uri& parsed,
                bool& is_loose) noexcept {
  NameAddress address;
  if (!parse_name_address(value, address) || !parse_uri(address.uri, parsed)) return false;
  uri = address.uri;
  (void)find_param(parsed.params, "lr", &is_loose);
  return true;
}

/// One host: what a peer names may be nobody or everybody.
bool is_unicast(const IpAddress& ip) noexcept {
  const bool is_multicast = ip.is_ipv4() ? ip.bytes[0] >= 224 : ip.bytes[0] == 0xff;
  return !ip.is_unspecified() && !is_multicast;
}

std::string_view first_line(std::string_view lines) noexcept {
  return lines.substr(0, lines.find('\n'));
}

/// As much of a cause as a dialog keeps.
std::uint8_t kept_cause(int cause) noexcept {
  return static_cast<std::uint8_t>(cause == answered_elsewhere ? cause : std::clamp(cause, 0, 127));
}

}  // namespace

void write_reason(MessageWriter& writer, int q850_cause) noexcept {
  if (q850_cause <= 0) return;
  if (q850_cause == answered_elsewhere) return writer.header("Reason", elsewhere_reason);
  const Decimal cause(static_cast<std::uint32_t>(q850_cause));
  const std::string_view text = q850_text(q850_cause);
  if (text.empty()) return writer.header("Reason", {"Q.850;cause=", cause.view()});
  writer.header("Reason", {"Q.850;cause=", cause.view(), ";text=\"", text, "\""});
}

void write_dialog_request(MessageWriter& writer, StackWorker& worker, const DialogHead& head,
                          std::string_view method, std::uint32_t cseq, const Path& path,
                          std::string_view branch, int max_forwards) {
  std::string_view routes = head.routes;
  std::string_view strict_target;
  std::string_view uri;
  Uri parsed;
  bool is_loose = false;
  if (!routes.empty() && read_route(first_line(routes), uri, parsed, is_loose) && !is_loose) {
    writer.request_line(method, uri);
    const std::size_t end = routes.find('\n');
    routes = end == std::string_view::npos ? std::string_view{} : routes.substr(end + 1);
    strict_target = head.target;
  } else {
    writer.request_line(method, head.target);
  }
  writer.header("Via", {via_protocol(path.transport), worker.transports().advertised_text(path),
                        ";branch=", branch, ";rport", head.via_parameters});
  while (!routes.empty()) {
    const std::string_view line = first_line(routes);
    writer.copy("Route", line);
    routes.remove_prefix(std::min(line.size() + 1, routes.size()));
  }
  if (!strict_target.empty()) writer.header("Route", {"<", strict_target, ">"});
  writer.header("Max-Forwards", static_cast<std::uint64_t>(max_forwards));
  writer.copy("From", head.from);
  writer.copy("To", head.to);
  writer.header("Call-ID", head.call_id);
  writer.header("CSeq", {Decimal(cseq).view(), " ", method});
  if (!worker.shared().user_agent_line.empty()) writer.line(worker.shared().user_agent_line);
}

Path dialog_path(StackWorker& worker, std::string_view routes, const Path& direct) {
  // Who speaks WebSocket is reached over the connection that it made and nowhere else.
  if (routes.empty() || is_websocket(direct.transport)) return direct;
  std::string_view uri;
  Uri parsed;
  bool is_loose = false;
  if (!read_route(first_line(routes), uri, parsed, is_loose)) return direct;
  auto ip = IpAddress::parse(parsed.host);
  if (!ip)
    return direct;  // a name: the call path asks no DNS, and the peer's own address is the best
                    // guess
  const Transport wanted =
      uri_transport(parsed.scheme, find_param(parsed.params, "transport"), direct.transport)
          .value_or(direct.transport);
  if (is_websocket(wanted)) return direct;
  const SocketAddress address{*ip, parsed.port == 0 ? default_port(wanted) : parsed.port};
  if (wanted == direct.transport && address == direct.remote) return direct;
  if (wanted == direct.transport && address.ip.family == direct.remote.ip.family) {
    Path path = direct;
    path.fallback_port = address.port;
    // On TLS the connection that the peer made has shown what another one would have to.
    if (wanted == Transport::tls && address.ip == direct.remote.ip && path.connection.is_set())
      return path;
    if (address.ip != direct.remote.ip) path.tls_peer = nullptr;  // the name was the peer's own
    path.remote = address;
    path.connection = {};
    return path;
  }
  auto path = worker.transports().path_to(wanted, address, {});
  return path ? *path : direct;
}

void collect_routes(const Message& message, bool is_reversed, std::string& out, HeaderId which) {
  std::vector<std::string_view> values;
  for (std::size_t i = 0; i < message.header_count; ++i) {
    if (message.headers[i].id != which) continue;
    std::string_view list = message.headers[i].value;
    while (!list.empty()) {
      const std::string_view value = next_element(list);
      if (!value.empty()) values.push_back(value);
    }
  }
  if (is_reversed) std::reverse(values.begin(), values.end());
  for (const std::string_view value : values) {
    if (!out.empty()) out += '\n';
    // Folding is taken out here, because the lines of the result are values.
    for (const char c : value) {
      if (c == '\r') continue;
      out += c == '\n' ? ' ' : c;
    }
  }
}

Dialog::Dialog(std::uint32_t slot, StackWorker& worker, Role role)
    : worker_(worker),
      random_(worker.random().next()),
      timer_(Timer::member<&Dialog::on_timer, Dialog>(), this),
      slot_(slot),
      role_(role) {
  bump(worker_.counters().dialogs_live);
}

Dialog::~Dialog() {
  // An answer whose dialog has been ended is not repeated for an ACK that would find nobody.
  if (invite_server_ != nullptr && invite_server_->state() == ServerTransaction::State::accepted)
    invite_server_->stop_answer();
  for (ServerTransaction* transaction : {invite_server_, reoffer_server_}) {
    if (transaction != nullptr) transaction->detach();
  }
  if (requests_ != nullptr) {
    for (ServerTransaction* transaction : requests_->servers) {
      if (transaction != nullptr) transaction->detach();
    }
  }
  if (reliability_ != nullptr) {
    for (ClientTransaction* prack : reliability_->pracks)
      prack->detach();
  }
  let_go(invite_client_, {});
  let_go(reoffer_client_, {});
  let_go(request_client_, {});
  let_go(bye_client_, {});
  bump(worker_.counters().dialogs_live, -1);
}

Token::Text Dialog::tag() const noexcept {
  return Token{static_cast<std::uint8_t>(worker_.index()), slot_, random_}.text();
}

bool Dialog::matches(const Message& request) const noexcept {
  if (request.call_id != call_id_.view()) return false;
  // Before the answer a fork may have several remote tags.
  if (role_ == Role::outbound && state_ <= State::cancelled) return true;
  return request.from.tag == remote_tag_.view();
}

Dialog::Requests& Dialog::requests() {
  if (requests_ == nullptr) requests_ = std::make_unique<Requests>();
  return *requests_;
}

std::string Dialog::replaces() const {
  std::string value(call_id_.view());
  value.append(";to-tag=").append(remote_tag_.view());
  return value.append(";from-tag=").append(sip::view(tag()));
}

bool Dialog::is_up_as(const DialogName& name) const noexcept {
  const bool is_up = state_ == State::answered || state_ == State::confirmed;
  return is_up && !is_silent_ && name.call_id == call_id_.view() &&
         name.peer_tag == remote_tag_.view();
}

DialogMatch Dialog::match(const DialogName& name) noexcept {
  if (name.call_id != call_id_.view() || name.peer_tag != remote_tag_.view()) return {};
  switch (state_) {
    case State::early:
      return {role_ == Role::inbound ? DialogMatch::State::arriving : DialogMatch::State::calling,
              is_silent_ ? nullptr : leg_};
    case State::answered:
    case State::confirmed:
      if (!is_silent_) return {DialogMatch::State::up, leg_};
      [[fallthrough]];
    case State::cancelled:
    case State::ending:
    case State::over:
      break;
  }
  return {DialogMatch::State::over, nullptr};
}

Leg* Dialog::leg() const noexcept { return leg_; }

bool Dialog::owns(const Message& response) const noexcept {
  return response.call_id == call_id_.view() && response.from.tag == sip::view(tag());
}

void Dialog::finish() {
  if (leg_ == nullptr && state_ == State::over && !is_arriving_) worker_.destroy(*this);
}

void Dialog::let_go(ClientTransaction*& transaction, std::string_view reason) {
  if (transaction == nullptr) return;
  transaction->cancel(reason);  // one that is not proceeding yet ends itself
  transaction->detach();
  transaction = nullptr;
}

int Dialog::retry_soon_s() const { return static_cast<int>(1 + worker_.random().below(10)); }

void Dialog::set_contact(std::string_view user, bool is_secure) {
  std::string contact = is_secure ? "<sips:" : "<sip:";
  append_user(user, contact);
  if (!user.empty()) contact += '@';
  contact += worker_.transports().advertised_text(path_);
  if (!is_secure) contact += transport_param(path_.transport);
  contact += '>';
  contact_.assign(worker_.buffers(), contact);
}

std::string_view Dialog::allowed() const noexcept {
  return reliability_ != nullptr ? allow_reliable_line : allow_line;
}

void Dialog::follow(const Path& from) noexcept {
  if (!path_.is_stream() || from.transport != path_.transport) return;
  // Before the answer this may be a branch of a fork that will not be the peer.
  if (role_ == Role::outbound && state_ <= State::cancelled) return;
  path_.connection = from.connection;
  // Another host of the peer is spoken to only while its connection lives.
  if (from.remote.ip == path_.remote.ip) path_.remote = from.remote;
}

void Dialog::set_target(const Message& message) {
  if (!message.contact.uri.empty()) target_.assign(worker_.buffers(), message.contact.uri);
}

void Dialog::set_product(const Message& message, HeaderId id) {
  const Header* header = message.find(id);
  if (header == nullptr)
    header = message.find(id == HeaderId::server ? HeaderId::user_agent : HeaderId::server);
  if (header != nullptr) product_.assign(worker_.buffers(), header->value.substr(0, 128));
}

// Responses.

Dialog::Draft Dialog::begin_response(const ServerTransaction& transaction, int status) {
  char* const buffer = worker_.scratch();
  MessageWriter line(buffer, StackWorker::scratch_bytes);
  line.status_line(status);
  const std::size_t line_bytes = line.view().size();
  const std::string_view head = transaction.head();
  std::memcpy(buffer + line_bytes, head.data(), head.size());
  const std::size_t used = line_bytes + head.size();
  Draft draft{buffer, MessageWriter(buffer + used, StackWorker::scratch_bytes - used)};
  if (status > 100 && !worker_.shared().server_line.empty())
    draft.writer.line(worker_.shared().server_line);
  return draft;
}

bool Dialog::finish_response(ServerTransaction& transaction, int status, Draft& draft,
                             const SessionBody& body) {
  draft.writer.finish(body.content_type, body.bytes);
  if (draft.writer.ok()) {
    transaction.respond(status, draft.view());
    return true;
  }
  // What the user gave could not be written. The transaction must end all the same.
  Draft plain = begin_response(transaction, status < 200 ? 100 : 500);
  plain.writer.finish();
  transaction.respond(status < 200 ? 100 : 500, plain.view());
  return false;
}

void Dialog::respond(ServerTransaction& transaction, int status, std::string_view extra_line,
                     int retry_after_s) {
  Draft draft = begin_response(transaction, status);
  if (!extra_line.empty()) draft.writer.line(extra_line);
  if (retry_after_s > 0)
    draft.writer.header("Retry-After", static_cast<std::uint64_t>(retry_after_s));
  finish_response(transaction, status, draft, {});
}

ServerTransaction& Dialog::open_server(const Message& request, const Path& from) {
  ServerTransaction& transaction = worker_.create_server(request, from, this);
  answer_over(transaction, request.vias[0]);
  char* const buffer = worker_.scratch();
  MessageWriter writer(buffer, StackWorker::head_bytes_max);
  ResponseHead response;
  const Token::Text own_tag = tag();
  response.to_tag = sip::view(own_tag);
  response.source = from.remote;
  const std::string load = worker_.load_for(request);
  response.overload = load;
  write_response_head(writer, request, response);
  const std::string_view text = writer.view();
  transaction.set_head(text.substr(text.find('\n') + 1));
  return transaction;
}

/// Sets where the responses of a transaction go (P-02).
void Dialog::answer_over(ServerTransaction& transaction, const Via& via) const {
  if (reply_address_ == ReplyAddress::socket) return;
  SocketAddress address = transaction.path().remote;
  address.port = via.port == 0 ? std::uint16_t{5060} : via.port;
  if (const auto ip = IpAddress::parse(via.host); ip && reply_address_ == ReplyAddress::via) {
    if (ip->family != address.ip.family || !is_unicast(*ip)) return;  // stays the source
    address.ip = *ip;
  }
  transaction.answer_to(address);
}

void Dialog::refuse(const Message& request, const Path& from, int status,
                    std::string_view extra_line, int retry_after_s) {
  respond(open_server(request, from), status, extra_line, retry_after_s);
}

// Requests.

DialogHead Dialog::head() const noexcept {
  return {target_.view(), local_.view(), remote_.view(), call_id_.view(), routes_.view()};
}

Path Dialog::request_path() const { return path_to(target_.view(), routes_.view()); }

/// Where a request to `target` goes (P-03).
Path Dialog::path_to(std::string_view target, std::string_view routes) const {
  if (request_address_ == RequestAddress::socket || !routes.empty())
    return dialog_path(worker_, routes, path_);
  Uri uri;
  if (!parse_uri(target, uri)) return path_;
  SocketAddress address{path_.remote.ip, uri.port == 0 ? default_port(path_.transport) : uri.port};
  if (request_address_ == RequestAddress::contact) {
    const auto ip = IpAddress::parse(uri.host);
    if (!ip || !is_unicast(*ip)) return path_;  // for a name: the call path asks no DNS
    address.ip = *ip;
  }
  if (address.ip.family != path_.remote.ip.family) {
    if (path_.connection.is_set()) return path_;
    auto path = worker_.transports().path_to(path_.transport, address, {});
    return path ? *path : path_;
  }
  // A connection is used while it lives, whatever `remote` says.
  Path path = path_;
  if (address.ip != path.remote.ip) path.tls_peer = nullptr;  // the name was the peer's own
  path.remote = address;
  path.fallback_port = address.port;
  return path;
}

MessageWriter Dialog::begin_request(std::string_view method, std::uint32_t cseq, const Path& path,
                                    std::string_view branch, int max_forwards) {
  MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
  DialogHead written = head();
  if (asks_for_load_ && method == "INVITE") written.via_parameters = overload_offer;
  write_dialog_request(writer, worker_, written, method, cseq, path, branch, max_forwards);
  return writer;
}

ClientTransaction* Dialog::send_request(Method method, std::string_view name,
                                        const SessionBody& body,
                                        const std::vector<PassedHeader>& headers, int q850_cause) {
  const Path path = request_path();
  ClientTransaction& transaction = worker_.transactions().create_client(method, this);
  transaction.set_within_dialog();
  const BranchText branch = transaction.branch();
  MessageWriter writer = begin_request(name, ++local_cseq_, path, branch.view());
  if (method != Method::bye) writer.header("Contact", contact_.view());
  if (method == Method::invite || method == Method::update) {
    writer.line(allowed());
    if (state_ != State::early) write_session(writer);  // what is watched begins with the answer
  }
  if (uses_reason_) write_reason(writer, q850_cause);
  write_passed_headers(writer, headers);
  writer.finish(body.content_type, body.bytes);
  if (!writer.ok()) {
    worker_.transactions().discard(transaction);
    return nullptr;
  }
  forget_challenges();
  if (invite_client_ != nullptr) invite_client_->note_cseq(local_cseq_);
  transaction.start(path, local_cseq_, writer.view());
  return &transaction;
}

void Dialog::send_ack(ClientTransaction& transaction, const SessionBody& body) {
  const Path path = request_path();
  // Each ACK of a 2xx is a transaction of its own as far as its branch goes (RFC 3261
  // section 13.2.2.4).
  const BranchText branch = branch_text(
      {static_cast<std::uint8_t>(worker_.index()), Token::no_slot, worker_.random().next()});
  MessageWriter writer = begin_request("ACK", transaction.cseq(), path, branch.view());
  if (!authorization().empty()) writer.line(authorization());
  writer.finish(body.content_type, body.bytes);
  if (writer.ok()) transaction.acknowledge(path, writer.view());
}

void Dialog::send_bye(int q850_cause) {
  state_ = State::ending;
  wants_bye_ = false;
  bye_client_ = send_request(Method::bye, "BYE", {}, no_headers, q850_cause);
  if (bye_client_ == nullptr) state_ = State::over;
}

ClientTransaction* Dialog::repeat(ClientTransaction& transaction, const Message& own,
                                  std::string_view credentials) {
  const Path path = transaction.path();
  ClientTransaction& successor = worker_.transactions().create_client(transaction.method(), this);
  if (transaction.is_within_dialog()) successor.set_within_dialog();
  const BranchText branch = successor.branch();
  const std::uint32_t cseq = ++local_cseq_;
  if (invite_client_ != nullptr) invite_client_->note_cseq(cseq);
  MessageWriter writer(worker_.scratch(), StackWorker::scratch_bytes);
  writer.request_line(own.method_token, own.request_uri);
  for (std::size_t i = 0; i < own.header_count; ++i) {
    const Header& header = own.headers[i];
    switch (header.id) {
      case HeaderId::via:
        writer.header(
            "Via", {via_protocol(path.transport), worker_.transports().advertised_text(path),
                    ";branch=", branch.view(), ";rport",
                    asks_for_load_ && transaction.method() == Method::invite ? overload_offer
                                                                             : std::string_view()});
        break;
      case HeaderId::cseq:
        writer.header("CSeq", {Decimal(cseq).view(), " ", own.method_token});
        break;
      case HeaderId::authorization:
      case HeaderId::proxy_authorization:
      case HeaderId::supported:
      case HeaderId::require:
      case HeaderId::session_expires:
      case HeaderId::min_se:
      case HeaderId::content_type:
      case HeaderId::content_length:
        break;
      default:
        writer.copy(header);
        break;
    }
  }
  const bool is_invite = transaction.method() == Method::invite;
  const bool is_first = is_invite && state_ == State::early;
  if (is_first || (state_ != State::early && (is_invite || transaction.method() == Method::update)))
    write_session(writer);
  if (is_first) write_rel100(writer);
  if (!credentials.empty()) writer.line(credentials);
  writer.finish(own.content_type, own.body);
  if (!writer.ok()) {
    worker_.transactions().discard(successor);
    return nullptr;
  }
  successor.start(path, cseq, writer.view());
  return &successor;
}

ClientTransaction* Dialog::retry_with_credentials(ClientTransaction& transaction,
                                                  const Message& response) {
  if (login_ == nullptr || login_->challenges >= login_->challenges_max) return nullptr;
  Login& login = *login_;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  if (login.challenges == 0) login.challenged_us = now_us;
  if (now_us - login.challenged_us > login.time_us) return nullptr;
  Message& own = worker_.own_message();
  if (scan(transaction.message(), Framing::datagram, own).kind != Fault::Kind::none) return nullptr;
  const bool is_proxy = response.status == 407;
  const HeaderId challenge_id =
      is_proxy ? HeaderId::proxy_authenticate : HeaderId::www_authenticate;
  std::string line;
  for (std::size_t i = 0; i < response.header_count && line.empty(); ++i) {
    if (response.headers[i].id != challenge_id) continue;
    auto answer =
        answer_challenge(response.headers[i].value, login.username.view(), login.password.view(),
                         own.method_token, own.request_uri, 1, worker_.random());
    if (!answer) continue;
    // Refused with credentials: only a stale nonce makes another try worth while.
    if (login.challenges > 0 && !answer->is_stale) return nullptr;
    line = (is_proxy ? "Proxy-Authorization: " : "Authorization: ") + answer->value;
  }
  if (line.empty()) return nullptr;
  ++login.challenges;
  ClientTransaction* const successor = repeat(transaction, own, line);
  if (successor != nullptr && transaction.method() == Method::invite)
    login.authorization.assign(worker_.buffers(), line);
  return successor;
}

// Arriving requests.

void Dialog::on_request(const Message& request, const Path& from) {
  const Entry entry(*this);
  if (state_ == State::over) return worker_.refuse(request, from, 481);
  const bool is_early = role_ == Role::outbound && state_ <= State::cancelled;
  const bool is_new_branch =
      is_early && reliability_ != nullptr && reliability_->asked_tag.view() != request.from.tag;
  const bool is_first = role_ == Role::outbound && (remote_cseq_ == 0 || is_new_branch);
  if (!is_first && request.cseq <= remote_cseq_) {
    // Out of order (RFC 3261 section 12.2.2). Without state, so that the same request gets the same
    // answer: none with a Retry-After that is drawn.
    return worker_.refuse(request, from, 500);
  }
  remote_cseq_ = request.cseq;
  if (is_new_branch) reliability_->asked_tag.assign(worker_.buffers(), request.from.tag);
  follow(from);
  if (request.method == Method::bye) return on_bye(request, from);
  if (state_ == State::ending) return refuse(request, from, 481);
  if (request.method == Method::invite || request.method == Method::update)
    return on_reoffer_request(request, from);
  on_other(request, from);
}

void Dialog::on_reoffer_request(const Message& request, const Path& from) {
  const bool is_invite = request.method == Method::invite;
  const SessionBody body = session_body(request);
  if (!body.empty() && !is_sdp(body)) return refuse(request, from, 415, accept_line);
  ServerTransaction& transaction = open_server(request, from);
  const bool is_waiting_for_ack = invite_server_ != nullptr && invite_server_->has_final();
  const TimerOffer offer = read_timer_offer(request);
  if (session_ == nullptr && offer.is_required)
    return respond(transaction, 420, "Unsupported: timer");
  // Where it is spoken there is nothing to do about it: a re-INVITE gets no response between 100
  // and the final one.
  if (rel100_ == ExtensionUse::off && read_reliable_offer(request).is_required)
    return respond(transaction, 420, "Unsupported: 100rel");
  if (session_ != nullptr && is_too_short(offer))
    return respond(transaction, 422, least_session_line);
  if (!is_invite && body.empty()) {
    // A target refresh without an offer changes no session.
    if (!is_of_other_branch(request)) set_target(request);
    Draft draft = begin_response(transaction, 200);
    draft.writer.header("Contact", contact_.view());
    draft.writer.line(allowed());
    if (state_ != State::early) answer_session(draft.writer, offer);
    finish_response(transaction, 200, draft, {});
    return;
  }
  const bool takes_offers =
      state_ > State::cancelled ||
      (!is_invite && may_change_early_session() && !is_of_other_branch(request));
  // An offer of theirs is unanswered (RFC 3261 section 14.2, RFC 3311 section 5.2).
  if (reoffer_server_ != nullptr || (role_ == Role::inbound && !takes_offers) ||
      (is_invite && is_waiting_for_ack)) {
    return respond(transaction, 500, {}, retry_soon_s());
  }
  // An offer of ours is.
  if (reoffer_client_ != nullptr || unacknowledged_.slot != Token::no_slot || !takes_offers ||
      (is_waiting_for_ack && was_offerless_)) {
    return respond(transaction, 491);
  }
  set_target(request);
  if (session_ != nullptr) session_->offer = offer;
  reoffer_server_ = &transaction;
  Reoffer reoffer;
  reoffer.method = is_invite ? Reoffer::Method::reinvite : Reoffer::Method::update;
  reoffer.body = body;
  is_reoffer_empty_ = body.empty();
  if (LegEvents* user = events()) {
    user->on_reoffer(*leg_, reoffer);
  } else {
    answer_reoffer(488, {});
  }
  if (is_invite && reoffer_server_ == &transaction && !transaction.has_final())
    respond(transaction, 100);
}

void Dialog::on_bye(const Message& request, const Path& from) {
  ServerTransaction& transaction = open_server(request, from);
  respond(transaction, 200);
  Release release;
  if (const int cause = heard_cause(request); cause > 0) release.q850_cause = cause;
  if (state_ == State::early && role_ == Role::inbound) {
    // The caller may end an early dialog so (RFC 3261 section 15).
    end_early_session();
    respond(*invite_server_, 487);
    invite_server_ = nullptr;
    state_ = State::over;
    if (LegEvents* user = events()) user->on_cancel(*leg_, release);
    return;
  }
  if (state_ <= State::cancelled) {
    // From a callee whose 2xx was lost. Its INVITE transaction is ended as by a cancel.
    const bool was_early = state_ == State::early;
    state_ = State::cancelled;
    invite_client_->cancel({});
    LegEvents* user = events();
    is_silent_ = true;
    if (was_early && user != nullptr) {
      Failure failure;
      failure.status = 480;
      failure.q850_cause = release.q850_cause;
      user->on_failure(*leg_, failure);
    }
    return;
  }
  if (state_ == State::ending) {
    // Both sides hung up at once, or the ACK that our BYE waited for will not come.
    if (invite_server_ != nullptr) {
      invite_server_->stop_answer();
      invite_server_ = nullptr;
    }
    if (wants_bye_) state_ = State::over;
    return;
  }
  if (invite_server_ != nullptr) {
    invite_server_->stop_answer();
    invite_server_ = nullptr;
  }
  // Its 2xx is due an ACK all the same (RFC 3261 section 13.2.2.4), or it is repeated.
  if (unacknowledged_.slot != Token::no_slot) acknowledge({});
  answer_pending();
  let_go(reoffer_client_, {});
  let_go(request_client_, {});
  state_ = State::over;
  if (LegEvents* user = events()) user->on_release(*leg_, release);
}

void Dialog::on_other(const Message& request, const Path& from) {
  switch (request.method) {
    case Method::info:
    case Method::message:
    case Method::notify:
    case Method::refer:
      break;
    case Method::options: {
      ServerTransaction& transaction = open_server(request, from);
      Draft draft = begin_response(transaction, 200);
      draft.writer.header("Contact", contact_.view());
      draft.writer.line(allowed());
      draft.writer.line(accept_line);
      finish_response(transaction, 200, draft, {});
      return;
    }
    case Method::prack:
      return on_prack(request, from);
    case Method::unknown:
      return refuse(request, from, 501, allowed());
    default:
      return refuse(request, from, 405, allowed());
  }
  LegEvents* user = events();
  if (state_ <= State::cancelled || user == nullptr || requests().servers.size() >= requests_max) {
    return refuse(request, from, 500, {}, retry_soon_s());
  }
  ServerTransaction& transaction = open_server(request, from);
  requests().servers.push_back(&transaction);
  DialogRequest passed;
  passed.method = request.method_token;
  passed.body = {request.content_type, request.body};
  passed.source = from.remote;
  collect_passed_headers(request, passed.headers);
  Unescaped room;
  Referral referral;
  if (request.method == Method::refer && read_referral(request, room, referral))
    passed.referral = &referral;
  is_delivering_request_ = true;
  user->on_request(*leg_, passed);
  is_delivering_request_ = false;
}

void Dialog::on_ack(const Message& ack, const Path& from) {
  const Entry entry(*this);
  if (invite_server_ == nullptr || invite_server_->state() != ServerTransaction::State::accepted ||
      invite_server_->cseq() != ack.cseq) {
    return;
  }
  follow(from);
  invite_server_->stop_answer();
  invite_server_ = nullptr;
  const bool is_first = state_ == State::answered;
  if (is_first) state_ = State::confirmed;
  if (wants_bye_) return send_bye(release_cause_);
  const SessionBody body = session_body(ack);
  if (LegEvents* user = events(); user != nullptr && (is_first || was_offerless_))
    user->on_confirmed(*leg_, body);
}

void Dialog::answer_pending() {
  if (reoffer_server_ != nullptr) {
    respond(*reoffer_server_, 487);
    reoffer_server_ = nullptr;
  }
  if (requests_ == nullptr) return;
  for (ServerTransaction* transaction : requests_->servers) {
    if (transaction != nullptr) respond(*transaction, 487);
  }
  requests_->servers.clear();
  requests_->queued.clear();
}

void Dialog::on_no_ack(ServerTransaction& transaction) {
  const Entry entry(*this);
  if (invite_server_ == &transaction) invite_server_ = nullptr;
  if (wants_bye_) return send_bye(release_cause_);
  if (state_ == State::answered || state_ == State::confirmed) lose(102, Loss::transport);
}

void Dialog::on_unanswered(ServerTransaction& transaction) {
  const Entry entry(*this);
  respond(transaction, 500);
  if (reoffer_server_ == &transaction) reoffer_server_ = nullptr;
  if (requests_ == nullptr) return;
  std::replace(requests_->servers.begin(), requests_->servers.end(), &transaction,
               static_cast<ServerTransaction*>(nullptr));
}

// What the user asks for inside the call.

void Dialog::reoffer(const Reoffer& reoffer) {
  const Entry entry(*this);
  if (is_over()) return;
  const bool is_invite = reoffer.method == Reoffer::Method::reinvite;
  const bool is_early = state_ <= State::cancelled;
  // Ours or theirs is still unanswered: the same as if the other side had said 491 (RFC 3261
  // section 14.1).
  const bool is_glare = reoffer_client_ != nullptr || reoffer_server_ != nullptr ||
                        (!is_early && invite_server_ != nullptr) ||
                        unacknowledged_.slot != Token::no_slot;
  if (is_early && (is_invite || !has_early_session())) {
    deferred_reoffer_status_ = 481;
    return defer();
  }
  if (is_early && !reliability_->peer_has_update) {
    deferred_reoffer_status_ = 488;
    return defer();
  }
  if (is_glare || (is_early && !may_change_early_session())) {
    deferred_reoffer_status_ = 491;
    return defer();
  }
  has_offer_ = !reoffer.body.empty();
  if (session_ != nullptr && needs_description(reoffer.body))
    session_->offered.assign(worker_.buffers(), reoffer.body.bytes);
  reoffer_client_ = send_request(is_invite ? Method::invite : Method::update,
                                 is_invite ? "INVITE" : "UPDATE", reoffer.body, no_headers, 0);
  if (reoffer_client_ == nullptr) {
    deferred_reoffer_status_ = 500;
    defer();
  }
}

void Dialog::answer_reoffer(int status, const SessionBody& body) {
  const Entry entry(*this);
  if (status < 200 || status > 699) return;
  ServerTransaction* const transaction = std::exchange(reoffer_server_, nullptr);
  if (transaction == nullptr) {
    // A user that agreed to what was cancelled meanwhile waits for an ACK that nobody will send.
    if (std::exchange(is_reoffer_cancelled_, false) && status < 300) {
      is_confirmation_deferred_ = true;
      defer();
    }
    return;
  }
  if (transaction->method() == Method::prack && status >= 300) return keep_session(*transaction);
  Draft draft = begin_response(*transaction, status);
  if (status < 300) {
    draft.writer.header("Contact", contact_.view());
    draft.writer.line(allowed());
    if (session_ != nullptr && state_ != State::early)
      answer_session(draft.writer, session_->offer);
    keep_description(body);
    if (reliability_ != nullptr && !body.empty())
      reliability_->held.assign(worker_.buffers(), body.bytes);
  }
  if (transaction->method() == Method::invite && status < 300) {
    invite_server_ = transaction;
    was_offerless_ = is_reoffer_empty_;
  }
  finish_response(*transaction, status, draft, body);
  if (invite_server_ != nullptr && invite_server_->state() == ServerTransaction::State::completed) {
    invite_server_ = nullptr;  // the answer could not be written and became a 500
  }
}

void Dialog::request(const DialogRequest& request) {
  const Entry entry(*this);
  if (is_over()) return;
  const Method method = method_from(request.method);
  const bool is_passable = method == Method::info || method == Method::message ||
                           method == Method::notify || method == Method::refer ||
                           method == Method::unknown;
  if (state_ <= State::cancelled || !is_passable || requests().queued.size() >= requests_max) {
    deferred_request_status_ = is_passable ? 503 : 405;
    return defer();
  }
  if (request_client_ == nullptr) {
    request_client_ = send_request(method, request.method, request.body, request.headers, 0);
    if (request_client_ != nullptr) return;
    deferred_request_status_ = 500;
    return defer();
  }
  // One at a time, so that the other side sees them in order and results come in order.
  QueuedRequest& queued = requests().queued.emplace_back();
  queued.method = request.method;
  queued.content_type = request.body.content_type;
  queued.body = request.body.bytes;
  for (const PassedHeader& header : request.headers)
    queued.headers.emplace_back(header.name, header.value);
}

void Dialog::send_next_request() {
  while (request_client_ == nullptr && !requests().queued.empty() && !is_over()) {
    const QueuedRequest queued = std::move(requests_->queued.front());
    requests_->queued.erase(requests_->queued.begin());
    std::vector<PassedHeader> headers;
    for (const auto& [name, value] : queued.headers)
      headers.push_back({name, value});
    request_client_ = send_request(method_from(queued.method), queued.method,
                                   {queued.content_type, queued.body}, headers, 0);
    if (request_client_ != nullptr) return;
    if (LegEvents* user = events()) user->on_request_result(*leg_, 500, {});
  }
}

void Dialog::answer_request(int status, const SessionBody& body) {
  const Entry entry(*this);
  if (requests_ == nullptr || requests_->servers.empty() || status < 200 || status > 699) return;
  std::vector<ServerTransaction*>& servers = requests_->servers;
  // An answer given while the user is told of a request is for that one, whatever waits before it.
  const bool is_for_last = std::exchange(is_delivering_request_, false);
  const auto place = is_for_last ? servers.end() - 1 : servers.begin();
  ServerTransaction* const transaction = *place;
  servers.erase(place);
  if (transaction == nullptr) return;  // it had waited too long
  Draft draft = begin_response(*transaction, status);
  // RFC 3515 section 2.2: it begins a subscription.
  if (transaction->method() == Method::refer && status < 300)
    draft.writer.header("Contact", contact_.view());
  finish_response(*transaction, status, draft, body);
}

void Dialog::acknowledge(const SessionBody& body) {
  const Entry entry(*this);
  if (unacknowledged_.slot == Token::no_slot) return;
  ClientTransaction* transaction = worker_.transactions().client_at(unacknowledged_);
  unacknowledged_.slot = Token::no_slot;
  if (state_ == State::answered) state_ = State::confirmed;
  if (transaction != nullptr) send_ack(*transaction, body);
  keep_description(body);
}

void Dialog::release(int q850_cause) {
  const Entry entry(*this);
  switch (state_) {
    case State::early:
      if (role_ == Role::inbound) {
        is_silent_ = true;
        return reject({487, q850_cause, 0, {}});
      }
      release_cause_ = kept_cause(q850_cause);
      cancel();
      is_silent_ = true;
      return;
    case State::cancelled:
      is_silent_ = true;
      return;
    case State::answered:
    case State::confirmed:
      is_silent_ = true;
      return end_from_here(q850_cause);
    case State::ending:
    case State::over:
      is_silent_ = true;
      return;
  }
}

void Dialog::end_from_here(int q850_cause) {
  answer_pending();
  release_cause_ = kept_cause(q850_cause);
  if (unacknowledged_.slot != Token::no_slot) acknowledge({});
  let_go(reoffer_client_, {});
  let_go(request_client_, {});
  if (state_ == State::answered) {
    // No BYE from the callee before the ACK, or until it cannot come any more (RFC 3261 section
    // 15).
    state_ = State::ending;
    wants_bye_ = true;
    return;
  }
  send_bye(q850_cause);
}

void Dialog::lose(int q850_cause, Loss loss) {
  if (state_ == State::ending || state_ == State::over) return;
  LegEvents* user = events();
  end_from_here(q850_cause);
  is_silent_ = true;
  // Without an ACK the BYE waits for it, or for its end (RFC 3261 section 15).
  if (wants_bye_ && invite_server_ == nullptr) send_bye(q850_cause);
  Release release;
  release.q850_cause = q850_cause;
  release.is_transport = loss == Loss::transport;
  release.is_silent = loss == Loss::silence;
  if (user != nullptr) user->on_release(*leg_, release);
}

void Dialog::leave() {
  const Entry entry(*this);
  leg_ = nullptr;
  is_silent_ = true;
  if (state_ == State::early && role_ == Role::inbound) return reject({500, 0, 0, {}});
  release(0);
}

// Responses to what we asked.

void Dialog::on_response(ClientTransaction& transaction, const Message& response,
                         const Path& from) {
  const Entry entry(*this);
  if (&transaction == invite_client_) return on_invite_response(transaction, response, from);
  if (response.status < 200) {
    // The asker of the other side waits for as long as this one does.
    if (&transaction == reoffer_client_) transaction.limit_wait();
    return;
  }
  if ((response.status == 401 || response.status == 407) && &transaction != invite_client_) {
    if (ClientTransaction* successor = retry_with_credentials(transaction, response)) {
      if (reliability_ != nullptr) {
        std::vector<ClientTransaction*>& pracks = reliability_->pracks;
        std::replace(pracks.begin(), pracks.end(), &transaction, successor);
      }
      if (&transaction == reoffer_client_) reoffer_client_ = successor;
      if (&transaction == request_client_) request_client_ = successor;
      if (&transaction == bye_client_) bye_client_ = successor;
      return;
    }
  }
  if (&transaction == bye_client_) {
    bye_client_ = nullptr;
    state_ = State::over;
  } else if (&transaction == reoffer_client_) {
    on_reoffer_response(transaction, response);
  } else if (&transaction == request_client_) {
    on_request_response(transaction, response);
  } else {
    forget_prack(transaction);
  }
}

void Dialog::on_reoffer_response(ClientTransaction& transaction, const Message& response) {
  const int status = response.status;
  reoffer_client_ = status == 422 ? retry_with_interval(transaction, response) : nullptr;
  if (reoffer_client_ != nullptr) return;
  if (status < 300) {
    set_target(response);
    if (state_ != State::early) agree_on_session(response);
    if (session_ != nullptr && !session_->offered.empty())
      session_->description.assign(worker_.buffers(), session_->offered.view());
    if (transaction.method() == Method::invite) {
      if (has_offer_) {
        send_ack(transaction, {});
      } else {
        unacknowledged_ = transaction.token();
      }
    }
  }
  if (session_ != nullptr) session_->offered.clear();
  if (session_ != nullptr && std::exchange(session_->is_refreshing, false))
    return finish_refresh(transaction, response);
  const SessionBody body = status < 300 ? session_body(response) : SessionBody{};
  if (LegEvents* user = events()) user->on_reoffer_result(*leg_, status, body);
  // Before the answer it is the INVITE that says so.
  if (state_ <= State::cancelled) return;
  // The other side knows nothing of the call any more, or has lost it (RFC 3261 section 12.2.1.2).
  if (status == 481 || status == 408) lose(status == 481 ? 31 : 102, Loss::peer);
}

void Dialog::on_request_response(ClientTransaction& transaction, const Message& response) {
  const bool is_notice = transaction.method() == Method::notify;
  request_client_ = nullptr;
  const SessionBody body{response.content_type, response.body};
  if (LegEvents* user = events()) user->on_request_result(*leg_, response.status, body);
  // To a NOTIFY it means the subscription alone (RFC 5057 section 5.1).
  if (response.status == 481 && !is_notice) return lose(31, Loss::peer);
  send_next_request();
}

void Dialog::on_no_response(ClientTransaction& transaction, bool is_transport) {
  const Entry entry(*this);
  if (&transaction == invite_client_) {
    invite_client_ = nullptr;
    Failure failure;
    failure.is_local = true;
    failure.is_transport = is_transport;
    failure.is_untrusted = is_transport && transaction.fault() == io::StreamFault::certificate;
    failure.status = state_ == State::cancelled ? 487 : (is_transport ? 503 : 408);
    return fail(failure);
  }
  if (&transaction == bye_client_) {
    bye_client_ = nullptr;  // P-23: the leg ends here whatever the peer thinks
    state_ = State::over;
    return;
  }
  const int status = is_transport ? 503 : 408;
  if (&transaction == reoffer_client_) {
    reoffer_client_ = nullptr;
    // Whoever answered our CANCEL is there: its INVITE counts as cancelled (RFC 3261 section 9.1)
    // and the session stays. Silence ends the dialog (RFC 3261 section 12.2.1.2).
    const bool is_withdrawn = !is_transport && transaction.is_cancel_answered();
    if (session_ != nullptr) session_->offered.clear();
    if (session_ != nullptr && std::exchange(session_->is_refreshing, false))
      return is_withdrawn ? start_session() : lose(102, Loss::silence);
    if (LegEvents* user = events()) user->on_reoffer_result(*leg_, is_withdrawn ? 487 : status, {});
    if (!is_withdrawn && state_ > State::cancelled)
      lose(102, is_transport ? Loss::transport : Loss::peer);
    return;
  }
  if (&transaction == request_client_) {
    request_client_ = nullptr;
    if (LegEvents* user = events()) user->on_request_result(*leg_, status, {});
    return send_next_request();
  }
  forget_prack(transaction);
}

void Dialog::fail(Failure failure) {
  end_early_session();
  LegEvents* user = events();
  state_ = State::over;
  is_silent_ = true;
  if (user != nullptr) user->on_failure(*leg_, failure);
}

void Dialog::defer() noexcept { worker_.loop().timers().start(timer_, 0); }

void Dialog::on_timer() {
  const Entry entry(*this);
  if (const int status = std::exchange(deferred_status_, 0); status != 0) {
    Failure failure;
    failure.status = status;
    failure.is_local = true;
    failure.is_transport = is_deferred_transport_;
    return fail(failure);
  }
  if (std::exchange(release_unwritten_, false)) {
    LegEvents* user = events();
    state_ = State::over;
    is_silent_ = true;
    Release release;
    release.q850_cause = 111;  // protocol error
    if (user != nullptr) user->on_release(*leg_, release);
    return;
  }
  if (const int status = std::exchange(deferred_reoffer_status_, 0); status != 0) {
    if (LegEvents* user = events()) user->on_reoffer_result(*leg_, status, {});
  }
  if (std::exchange(is_confirmation_deferred_, false)) {
    if (LegEvents* user = events()) user->on_confirmed(*leg_, {});
  }
  if (const int status = std::exchange(deferred_request_status_, 0); status != 0) {
    if (LegEvents* user = events()) user->on_request_result(*leg_, status, {});
  }
}

}  // namespace tandem::sip
