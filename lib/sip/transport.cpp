#include "sip/transport.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace tandem::sip {
namespace {

/// Content-Length of a complete head; -1 when a value is no number or two values differ.
std::int64_t body_bytes(std::string_view head) noexcept {
  std::int64_t found = -2;
  std::size_t at = head.find('\n');
  while (at != std::string_view::npos && at + 1 < head.size()) {
    const std::size_t begin = at + 1;
    at = head.find('\n', begin);
    std::string_view line = head.substr(begin, at == std::string_view::npos ? at : at - begin);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon);
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t'))
      name.remove_suffix(1);
    if (!equals_ignoring_case(name, "content-length") && !equals_ignoring_case(name, "l")) continue;
    // A folded value continues on the next line; the number may stand there.
    while (at != std::string_view::npos && at + 1 < head.size() &&
           (head[at + 1] == ' ' || head[at + 1] == '\t')) {
      at = head.find('\n', at + 1);
      line = head.substr(begin, at == std::string_view::npos ? at : at - begin);
    }
    std::string_view value = line.substr(colon + 1);
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!value.empty() && is_blank(value.front()))
      value.remove_prefix(1);
    while (!value.empty() && is_blank(value.back()))
      value.remove_suffix(1);
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) return -1;
    if (found >= 0 && found != static_cast<std::int64_t>(number)) return -1;
    found = number;
  }
  return found == -2 ? 0 : found;
}

}  // namespace

StreamFramer::Outcome StreamFramer::next() noexcept {
  if (size_ == 0) {
    // Line ends between messages are keep-alives (RFC 3261 section 7.5); a pair of them wants an
    // answer.
    static constexpr std::string_view ping = "\r\n\r\n";
    for (;;) {
      const std::string_view rest = std::string_view(buffer_).substr(start_);
      if (rest.substr(0, 4) == ping) {
        start_ += 4;
        return Outcome::ping;
      }
      if (rest == ping.substr(0, rest.size())) {
        compact();
        return Outcome::more;
      }
      if (rest.substr(0, 2) != ping.substr(0, 2)) break;
      start_ += 2;
    }
    searched_ = std::max(searched_, start_);
    const std::size_t from = searched_ - std::min<std::size_t>(searched_ - start_, 3);
    const std::size_t end = buffer_.find("\r\n\r\n", from);
    searched_ = buffer_.size();
    if (end == std::string::npos) {
      if (buffer_.size() - start_ > Limits::message_bytes_max) return Outcome::broken;
      compact();
      return Outcome::more;
    }
    const std::size_t head_bytes = end + 4 - start_;
    const std::int64_t body = body_bytes(std::string_view(buffer_).substr(start_, head_bytes));
    if (body < 0 || head_bytes + static_cast<std::size_t>(body) > Limits::message_bytes_max) {
      size_ = head_bytes;  // bytes() gives what can be answered
      return Outcome::broken;
    }
    size_ = head_bytes + static_cast<std::size_t>(body);
  }
  return buffer_.size() - start_ >= size_ ? Outcome::message : Outcome::more;
}

void StreamFramer::take() noexcept {
  start_ += size_;
  size_ = 0;
  searched_ = start_;
  compact();
}

void StreamFramer::compact() {
  if (start_ == buffer_.size()) {
    buffer_.clear();
    if (buffer_.capacity() > 8192) buffer_.shrink_to_fit();
  } else if (start_ >= 4096) {
    buffer_.erase(0, start_);
  } else {
    return;
  }
  searched_ -= std::min(searched_, start_);
  start_ = 0;
}

// One UDP socket.
class Transports::Socket final : public io::DatagramHandler {
 public:
  Socket(Transports& owner, std::uint16_t listener) : owner_(owner), listener_(listener) {}

  void on_datagram(const SocketAddress& from, std::string_view bytes) override {
    bump(owner_.counters_.datagrams_received);
    Path path;
    path.listener = listener_;
    path.remote = from;
    (void)owner_.events_.on_bytes(bytes, path);  // a datagram that cannot be read ends with itself
  }
  void on_unreachable(const SocketAddress& to) override {
    owner_.events_.on_unreachable(to, {}, io::StreamFault::none);
  }

  std::unique_ptr<io::DatagramSocket> socket;

 private:
  Transports& owner_;
  std::uint16_t listener_;
};

// One listener for streams.
class Transports::Listener final : public io::AcceptHandler {
 public:
  Listener(Transports& owner, std::uint16_t index, const ListenAddress& listen)
      : owner_(owner), index_(index) {
    rules_.protocol = "sip";
    rules_.origins = listen.origins;
    rules_.message_bytes_max = Limits::message_bytes_max;
  }

  void on_accept(std::unique_ptr<io::StreamConnection> stream) override {
    owner_.accept(std::move(stream), index_, rules_);
  }

  std::unique_ptr<io::StreamListener> listener;

 private:
  Transports& owner_;
  std::uint16_t index_;
  http::WebSocketRules rules_;
};

// One connection on TCP, TLS or WebSocket, accepted or made.
class Transports::Connection final : public io::StreamHandler {
 public:
  Connection(Transports& owner, std::uint32_t serial, std::uint16_t listener,
             const Destination& peer, Room& room, std::uint64_t generation)
      : owner_(owner),
        room_(room),
        serial_(serial),
        listener_(listener),
        peer_(peer),
        generation_(generation),
        limit_(Timer::member<&Connection::on_limit, Connection>(), this) {
    const bool has_handshake = is_over_tls(peer_.transport) || is_websocket(peer_.transport);
    enter(is_of_peer() && !has_handshake ? Stage::unproven : Stage::connecting);
  }

  bool send(std::string_view bytes) {
    if (is_closed_) return false;
    touch();
    if (stage_ == Stage::deaf) return false;
    if (stage_ != Stage::connecting) {
      const Result<void> sent = stream->send(bytes);
      // From the loop, since this may be its own handler.
      if (!sent && sent.error().code == ErrorCode::limit) enter(Stage::deaf);
      return sent.ok();
    }
    if (waiting_bytes_ + bytes.size() > StreamFramer::bytes_max) return false;
    waiting_bytes_ += bytes.size();
    waiting_.emplace_back(bytes);
    return true;
  }

  void on_connected() override {
    if (is_closed_) return;
    if (is_over_tls(peer_.transport)) bump(owner_.counters_.tls_handshakes);
    if (is_websocket(peer_.transport)) bump(owner_.counters_.websockets_opened);
    enter(is_of_peer() ? Stage::unproven : Stage::open);
    const std::vector<std::string> waiting = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    for (const std::string& message : waiting) {
      if (!stream->send(message).ok()) return fail();
    }
  }

  void on_alive() override { touch(); }

  void on_bytes(std::string_view bytes) override {
    if (is_closed_) return;
    judge_peer();
    if (bytes.find_first_not_of("\r\n") == std::string_view::npos) touch();  // a keep-alive
    if (is_websocket(peer_.transport)) return on_message(bytes);
    framer_.append(bytes);
    const Path path = own_path();
    while (!is_closed_) {
      switch (framer_.next()) {
        case StreamFramer::Outcome::more:
          return;
        case StreamFramer::Outcome::ping:
          (void)send("\r\n");
          break;  // lost only with the connection
        case StreamFramer::Outcome::message:
          if (!is_taken(framer_.bytes())) return fail();
          if (!owner_.events_.on_bytes(framer_.bytes(), path)) return fail();
          framer_.take();
          note_message();
          break;
        case StreamFramer::Outcome::broken:
          if (!framer_.bytes().empty() && is_taken(framer_.bytes()))
            (void)owner_.events_.on_bytes(framer_.bytes(), path);
          return fail();
      }
    }
  }

  void on_closed(const Error& error) override {
    const bool is_refused = std::exchange(owner_.is_refusing_, false);
    if (is_closed_) return;
    const io::StreamFault fault = stream->fault();
    if (is_refused) return fail(fault);  // under a flood only the counter tells
    // With TLS 1.3 a peer that takes not our certificate says so behind the handshake.
    const bool is_late_refusal =
        fault == io::StreamFault::certificate && !is_of_peer() && !has_received_;
    if (stage_ == Stage::connecting || is_late_refusal) note_handshake_failure(error.message);
    fail(fault);
  }

  void mark_closed() noexcept {
    is_closed_ = true;
    limit_.cancel();
  }

  [[nodiscard]] std::uint32_t serial() const noexcept { return serial_; }
  [[nodiscard]] const SocketAddress& remote() const noexcept { return peer_.remote; }
  [[nodiscard]] const Destination& peer() const noexcept { return peer_; }
  [[nodiscard]] Room& room() const noexcept { return room_; }
  /// Made before the files of TLS that hold now: for what is under way on it, and nothing new.
  [[nodiscard]] bool is_outdated() const noexcept {
    return is_over_tls(peer_.transport) && generation_ != owner_.tls_.generation();
  }
  std::unique_ptr<io::StreamConnection> stream;

 private:
  enum class Stage : std::uint8_t {
    connecting,  // ours, or TLS or WebSocket is not agreed on yet; what was sent waits
    unproven,    // accepted, and no whole message came yet
    open,
    deaf,  // it does not read, and more waits for it than may: it is closed in the next turn
  };

  [[nodiscard]] Path own_path() const noexcept {
    Path path;
    path.transport = peer_.transport;
    path.listener = listener_;
    path.remote = peer_.remote;
    path.connection = {owner_.worker_, serial_};
    path.tls_peer = peer_.tls_peer;
    return path;
  }
  /// One message of WebSocket is one of SIP (RFC 7118 section 5); a browser, which cannot ask
  /// whether the switch is there, does it as RFC 5626 section 4.4.1 has it.
  void on_message(std::string_view bytes) {
    if (bytes.find_first_not_of("\r\n") == std::string_view::npos) {
      if (bytes == "\r\n\r\n") (void)send("\r\n");  // lost only with the connection
      return;
    }
    if (!is_taken(bytes) || !owner_.events_.on_bytes(bytes, own_path())) return fail();
    note_message();
  }
  void note_message() noexcept {
    has_received_ = true;
    if (stage_ == Stage::unproven) enter(Stage::open);
    touch();
  }
  [[nodiscard]] bool is_of_peer() const noexcept { return &room_ == &owner_.inbound_; }
  // Whoever reaches our port can make inbound ones: they are no reason for alarm.
  void note_handshake_failure(std::string why) {
    const bool is_web = is_websocket(peer_.transport);
    if (!is_web && !is_over_tls(peer_.transport)) return;
    bump(is_web ? owner_.counters_.websocket_failures : owner_.counters_.tls_failures);
    if (is_of_peer()) {
      owner_.log_.write(
          LogLevel::info, "sip",
          is_web ? "WebSocket connection of a peer failed" : "TLS connection of a peer failed",
          {{"remote", peer_.remote.to_string()}, {"error", std::move(why)}});
    } else {
      owner_.log_.write(LogLevel::warning, "sip",
                        is_web ? "WebSocket connection failed" : "TLS connection failed",
                        {{"remote", peer_.remote.to_string()},
                         {"name", peer_.tls_peer != nullptr ? peer_.tls_peer->name : std::string()},
                         {"error", std::move(why)}});
    }
  }
  [[nodiscard]] std::int64_t limit_us() const noexcept {
    switch (stage_) {
      case Stage::connecting:
        return owner_.config_.connect_timeout_us;
      case Stage::unproven:
        return owner_.config_.first_message_us;
      case Stage::deaf:
        return 0;
      case Stage::open:
        break;
    }
    return owner_.config_.connection_idle_us;
  }
  void enter(Stage stage) noexcept {
    stage_ = stage;
    since_us_ = owner_.loop_.timers().now_us();
    owner_.loop_.timers().start(limit_, limit_us());
  }
  // Puts the end off, but for one whose time was set when it began.
  void touch() noexcept {
    if (stage_ == Stage::open) since_us_ = owner_.loop_.timers().now_us();
  }
  void on_limit() {
    const std::int64_t left_us = since_us_ + limit_us() - owner_.loop_.timers().now_us();
    if (left_us > 0) return owner_.loop_.timers().start(limit_, left_us);
    if (stage_ == Stage::connecting) {
      if (!is_of_peer()) bump(owner_.counters_.connect_timeouts);
      note_handshake_failure("nothing was agreed on in time");
    }
    if (stage_ == Stage::unproven) bump(owner_.counters_.connections_unused);
    if (stage_ == Stage::deaf) bump(owner_.counters_.connections_deaf);
    fail();
  }
  /// Notes whether the peer that made the connection is let in by the files of TLS that hold now.
  /// Looked at when it brings something: those of a thousand peers are not looked at in one turn,
  /// and the silent ones are gone soon.
  void judge_peer() {
    if (!is_of_peer() || stage_ == Stage::connecting || !is_outdated()) return;
    generation_ = owner_.tls_.generation();
    const auto context = owner_.tls_.context();
    is_unwelcome_ = context == nullptr || !context->would_keep(*stream);
  }
  /// Who is not let in any more ends its calls on the connection, and it ends with the first
  /// request that begins anything: nothing is repeated on a stream, so a BYE that was dropped would
  /// leave its call to go on.
  bool is_taken(std::string_view message) {
    if (!is_unwelcome_ || owner_.events_.is_of_old(message)) return true;
    note_handshake_failure("it is not let in by the files of the last reload");
    return false;
  }
  void fail(io::StreamFault fault = io::StreamFault::none) {
    if (is_closed_) return;
    Transports& owner = owner_;
    const SocketAddress remote = peer_.remote;
    const ConnectionId id{owner_.worker_, serial_};
    owner.close(*this);
    owner.events_.on_unreachable(remote, id, fault);
  }

  Transports& owner_;
  Room& room_;
  std::uint32_t serial_;
  std::uint16_t listener_;
  Destination peer_;
  std::uint64_t generation_;  // TLS: of TlsSetup, when it was made or looked at last
  Stage stage_ = Stage::connecting;
  bool is_closed_ = false;
  bool has_received_ = false;  // a whole message
  bool is_unwelcome_ = false;  // of a peer that would not be let in any more
  std::int64_t since_us_ = 0;  // of the last use once open, else of the beginning
  Timer limit_;
  StreamFramer framer_;
  std::vector<std::string> waiting_;  // messages, until it is made
  std::size_t waiting_bytes_ = 0;
};

Transports::Transports(unsigned worker, const StackConfig& config, const TlsSetup& tls,
                       const KeyedHash::Key& hash_key, io::Loop& loop, StackCounters& counters,
                       Log& log, TransportEvents& events)
    : worker_(worker),
      config_(config),
      tls_(tls),
      loop_(loop),
      counters_(counters),
      log_(log),
      events_(events),
      inbound_{config.inbound_connections_max},
      outbound_{config.outbound_connections_max},
      handshakes_(config.peer_connections_max, hash_key) {}

Transports::~Transports() = default;

Result<void> Transports::open(const std::vector<ListenAddress>& taken, bool reuse_port) {
  for (std::size_t i = 0; i < config_.listen.size(); ++i) {
    ListenAddress listen = taken.empty() ? config_.listen[i] : taken[i];
    const auto listener = static_cast<std::uint16_t>(i);
    sockets_.emplace_back();
    if (listen.transport == Transport::udp) {
      auto socket = std::make_unique<Socket>(*this, listener);
      io::DatagramOptions options;
      options.reuse_port = reuse_port;
      options.tos = config_.tos;
      auto opened = loop_.open_datagram(listen.address, options, *socket);
      if (!opened) return std::move(opened).error();
      socket->socket = std::move(*opened);
      listen.address = socket->socket->local();
      sockets_.back() = std::move(socket);
    } else {
      const auto context = tls_.context();
      if (is_over_tls(listen.transport) &&
          (context == nullptr || context->certificate_ends_at_s() == 0)) {
        return Error{
            ErrorCode::invalid_argument,
            "TLS listen address " + listen.address.to_string() + " had no certificate to show"};
      }
      auto handler = std::make_unique<Listener>(*this, listener, listen);
      auto opened = loop_.listen(listen.address, reuse_port, *handler);
      if (!opened) return std::move(opened).error();
      listen.address = (*opened)->local();
      handler->listener = std::move(*opened);
      stream_listeners_.push_back(std::move(handler));
    }
    SocketAddress advertised =
        listen.advertised.ip.family == IpAddress::Family::none ? listen.address : listen.advertised;
    if (advertised.port == 0) advertised.port = listen.address.port;
    if (advertised.ip.is_unspecified()) {
      return Error{ErrorCode::invalid_argument,
                   "listen address " + listen.address.to_string() + " had no advertised address"};
    }
    listening_.push_back(listen);
    advertised_.push_back(advertised);
    advertised_text_.push_back(advertised.to_string());
    advertised_host_.push_back(advertised.ip.is_ipv6() ? "[" + advertised.ip.to_string() + "]"
                                                       : advertised.ip.to_string());
  }
  return {};
}

std::uint16_t Transports::listener_at(Transport transport,
                                      const SocketAddress& local) const noexcept {
  std::uint16_t family_match = 0xffff;
  for (std::size_t i = 0; i < listening_.size(); ++i) {
    const ListenAddress& listen = listening_[i];
    if (listen.transport != transport || listen.address.ip.family != local.ip.family) continue;
    if (listen.address.ip == local.ip && (local.port == 0 || listen.address.port == local.port)) {
      return static_cast<std::uint16_t>(i);
    }
    if (family_match == 0xffff) family_match = static_cast<std::uint16_t>(i);
  }
  return family_match;
}

Result<Path> Transports::path_to(Transport transport, const SocketAddress& destination,
                                 const SocketAddress& local) const {
  SocketAddress wanted = local;
  if (wanted.ip.family == IpAddress::Family::none) wanted.ip.family = destination.ip.family;
  const std::uint16_t listener = listener_at(transport, wanted);
  if (listener == 0xffff || wanted.ip.family != destination.ip.family) {
    return Error{ErrorCode::not_found, "no listen address fitted " + destination.to_string()};
  }
  Path path;
  path.transport = transport;
  path.listener = listener;
  path.remote = destination;
  path.fallback_port = destination.port;
  return path;
}

bool Transports::send(Path& path, std::string_view bytes) {
  bump(counters_.messages_sent);
  if (path.transport == Transport::udp) {
    sockets_[path.listener]->socket->send(path.remote, bytes);
    return true;
  }
  Connection* connection = nullptr;
  if (path.connection.is_set()) {
    const auto found = connections_.find(path.connection.serial);
    if (found != connections_.end()) {
      connection = found->second.get();
      path.remote = connection->remote();
    }
  }
  if (connection == nullptr) {
    Destination to{path.remote, path.transport, path.tls_peer};
    if (path.connection.is_set()) to.remote.port = path.fallback_port;
    connection = known_connection(to);
    const bool is_reachable = !is_websocket(path.transport) || config_.connect_websocket;
    if (connection == nullptr && is_reachable) connection = connect(to, path.listener);
    if (connection == nullptr) {
      bump(counters_.send_failures);
      return false;
    }
    path.connection = {worker_, connection->serial()};
    path.remote = to.remote;
  }
  if (connection->send(bytes)) return true;
  bump(counters_.send_failures);
  return false;
}

Transports::Connection* Transports::known_connection(const Destination& to) const {
  const auto known = connection_to_.find(to);
  if (known == connection_to_.end()) return nullptr;
  Connection& connection = *connections_.at(known->second);
  return connection.is_outdated() ? nullptr : &connection;
}

/// When a peer has said its hello, not when it connects: who only connects costs nothing here, and
/// should not use up what others need.
bool Transports::admit_handshake(const SocketAddress& peer) {
  const bool is_admitted = handshakes_.admit(tls_.limits(), peer.ip, loop_.timers().now_us(), [&] {
    return config_.expects_peer && config_.expects_peer(peer);
  });
  if (!is_admitted) bump(counters_.tls_refused);
  is_refusing_ = !is_admitted;
  return is_admitted;
}

bool Transports::take_room(Room& room, const IpAddress& peer) {
  if (room.connections >= room.connections_max) {
    bump(counters_.connections_refused);
    return false;
  }
  const auto found = room.of_peer.find({peer, 0});
  const std::size_t of_peer = found == room.of_peer.end() ? 0 : found->second;
  if (of_peer >= config_.peer_connections_max) {
    bump(counters_.peer_connections_refused);
    return false;
  }
  room.of_peer[{peer, 0}] = of_peer + 1;
  ++room.connections;
  return true;
}

void Transports::give_back(Room& room, const IpAddress& peer) noexcept {
  const auto found = room.of_peer.find({peer, 0});
  if (--found->second == 0) room.of_peer.erase(found);
  --room.connections;
}

std::uint32_t Transports::new_serial() noexcept {
  const std::uint32_t serial = next_serial_++;
  if (next_serial_ == 0) next_serial_ = 1;
  return serial;
}

Result<std::unique_ptr<io::StreamConnection>> Transports::make_stream(const Destination& to,
                                                                      io::StreamHandler& handler) {
  if (is_websocket(to.transport)) return config_.connect_websocket(loop_, to.remote, handler);
  if (to.transport != Transport::tls) return loop_.connect(to.remote, handler);
  const auto context = tls_.context();
  if (context == nullptr) return Error{ErrorCode::wrong_state, "TLS was not configured"};
  return context->connect(loop_, to.remote, to.tls_peer != nullptr ? *to.tls_peer : io::TlsPeer{},
                          handler);
}

Transports::Connection* Transports::connect(const Destination& to, std::uint16_t listener) {
  if (!take_room(outbound_, to.remote.ip)) return nullptr;
  const std::uint32_t serial = new_serial();
  auto connection =
      std::make_unique<Connection>(*this, serial, listener, to, outbound_, tls_.generation());
  auto made = make_stream(to, *connection);
  if (!made) {
    log_.write(LogLevel::warning, "sip", "connection refused",
               {{"remote", to.remote.to_string()}, {"error", made.error().message}});
    connection->mark_closed();
    give_back(outbound_, to.remote.ip);
    return nullptr;
  }
  connection->stream = std::move(*made);
  if (config_.tos != 0) connection->stream->set_tos(config_.tos);
  connection_to_[to] = serial;
  bump(counters_.connections_live);
  return connections_.emplace(serial, std::move(connection)).first->second.get();
}

std::unique_ptr<io::StreamConnection> Transports::admit(
    std::unique_ptr<io::StreamConnection> stream, const ListenAddress& listen,
    const http::WebSocketRules& rules) {
  if (is_over_tls(listen.transport)) stream = admit_tls(std::move(stream), listen);
  if (stream == nullptr || !is_websocket(listen.transport)) return stream;
  return http::accept_websocket(loop_, std::move(stream), rules);
}

std::unique_ptr<io::StreamConnection> Transports::admit_tls(
    std::unique_ptr<io::StreamConnection> stream, const ListenAddress& listen) {
  const SocketAddress remote = stream->remote();
  const auto context = tls_.context();
  auto secured = context != nullptr
                     ? context->accept(loop_, std::move(stream), listen.client_certificate,
                                       [this, remote] { return admit_handshake(remote); })
                     : Error{ErrorCode::wrong_state, "TLS was not configured"};
  if (secured) return std::move(*secured);
  bump(counters_.tls_failures);
  log_.write(LogLevel::warning, "sip", "connection refused",
             {{"remote", remote.to_string()}, {"error", secured.error().message}});
  return nullptr;
}

void Transports::accept(std::unique_ptr<io::StreamConnection> stream, std::uint16_t listener,
                        const http::WebSocketRules& rules) {
  const SocketAddress remote = stream->remote();
  const ListenAddress& listen = listening_[listener];
  if (!take_room(inbound_, remote.ip)) return;
  const std::uint64_t generation = tls_.generation();
  stream = admit(std::move(stream), listen, rules);
  if (stream == nullptr) return give_back(inbound_, remote.ip);
  const std::uint32_t serial = new_serial();
  auto connection = std::make_unique<Connection>(*this, serial, listener,
                                                 Destination{remote, listen.transport, nullptr},
                                                 inbound_, generation);
  stream->set_handler(*connection);
  if (config_.tos != 0) stream->set_tos(config_.tos);
  connection->stream = std::move(stream);
  bump(counters_.connections_live);
  connections_.emplace(serial, std::move(connection));
}

void Transports::close(Connection& connection) {
  connection.mark_closed();
  const auto found = connections_.find(connection.serial());
  if (found == connections_.end()) return;
  const auto to = connection_to_.find(connection.peer());
  if (to != connection_to_.end() && to->second == connection.serial()) connection_to_.erase(to);
  const bool is_of_peer = &connection.room() == &inbound_;
  give_back(connection.room(), connection.remote().ip);
  closed_.push_back(std::move(found->second));
  connections_.erase(found);
  bump(counters_.connections_live, -1);
  if (is_of_peer) events_.on_connection_closed({worker_, closed_.back()->serial()});
  if (is_clearing_) return;
  is_clearing_ = true;
  loop_.defer([this] {
    is_clearing_ = false;
    closed_.clear();
  });
}

}  // namespace tandem::sip
