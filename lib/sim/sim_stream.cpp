#include <algorithm>
#include <cerrno>

#include "sim/sim_core.hpp"

namespace tandem::sim {
namespace {

using Item = SimConnection::Item;

constexpr std::uint64_t segment_bytes_max = 16'384;
constexpr std::int64_t connect_timeout_us = 127'000'000;  // of Linux with six SYN retries
constexpr std::int64_t retry_us = 1'000'000;

}  // namespace

void SimNetwork::Body::schedule_stream(std::int64_t at_us, StreamEvent event) {
  std::uint32_t slot = static_cast<std::uint32_t>(stream_events.size());
  if (free_stream_events.empty()) {
    stream_events.push_back(std::move(event));
  } else {
    slot = free_stream_events.back();
    free_stream_events.pop_back();
    stream_events[slot] = std::move(event);
  }
  schedule(at_us, EventKind::stream, slot);
}

void SimConnection::put(SimNetwork::Body& body, const std::shared_ptr<SimConnection>& connection,
                        std::uint8_t side, Item item) {
  End& end = connection->end[side];
  const LinkSettings& link = body.link_between(connection->end[1 - side].address, end.address);
  std::int64_t at_us = body.now_us + body.travel_us(link);
  if (body.happens(link.loss_per_mille)) at_us += std::max<std::int64_t>(link.retransmit_us, 0);
  end.last_us = std::max(end.last_us, at_us);
  end.inbound_bytes += item.bytes.size();
  end.inbound.push_back(std::move(item));
  body.schedule_stream(end.last_us, {connection, side, 0});
}

void SimConnection::break_end(SimNetwork::Body& body,
                              const std::shared_ptr<SimConnection>& connection, std::uint8_t side,
                              int error_number) {
  End& end = connection->end[side];
  connection->is_broken = true;
  end.inbound.clear();
  end.inbound_bytes = 0;
  end.inbound.push_back({Item::Kind::broken, error_number, {}});
  body.schedule_stream(body.now_us, {connection, side, 0});
}

void SimNetwork::Body::arrive_stream(std::uint32_t slot) {
  StreamEvent& event = stream_events[slot];
  const std::shared_ptr<SimConnection> connection = event.connection;
  const std::uint8_t side = event.side;
  const auto peer_side = static_cast<std::uint8_t>(1 - side);
  const auto forget = [&] {
    stream_events[slot].connection.reset();
    free_stream_events.push_back(slot);
  };
  SimConnection::End& end = connection->end[side];
  // Every item has an event of its own and each event takes the first item, so order survives any
  // delay.
  if (end.inbound.empty()) return forget();
  const bool is_local = end.inbound.front().kind == Item::Kind::broken;
  if (!is_local && link_between(connection->end[peer_side].address, end.address).partitioned) {
    if (++event.retries <= stream_retries_max)
      return schedule(now_us + retry_us, EventKind::stream, slot);
    forget();
    SimConnection::break_end(*this, connection, side, ETIMEDOUT);
    return SimConnection::break_end(*this, connection, peer_side, ETIMEDOUT);
  }
  if (end.inbound.front().kind == Item::Kind::syn) return arrive_syn(connection, slot);

  SimStream* const stream = end.stream;
  if (stream == nullptr) {
    const Item item = std::move(end.inbound.front());
    end.inbound.pop_front();
    end.inbound_bytes -= item.bytes.size();
    forget();
    if (item.kind == Item::Kind::bytes && !connection->is_broken) {
      connection->is_broken = true;
      SimConnection::put(*this, connection, peer_side, {Item::Kind::broken, ECONNRESET, {}});
    }
    return;
  }
  SimLoop& loop = stream->loop();
  if (!loop.is_serving()) {
    if (!loop.hold(EventKind::stream, slot)) forget();
    return;
  }
  forget();
  if (stream->handler() == nullptr) {
    ++end.held;
    return;
  }
  Item item = std::move(end.inbound.front());
  end.inbound.pop_front();
  end.inbound_bytes -= item.bytes.size();
  if (item.kind == Item::Kind::bytes) {
    counters.stream_bytes += item.bytes.size();
    trace(connection->end[peer_side].address, end.address, item.bytes);
  }
  loop.begin_turn();
  stream->deliver(std::move(item));
  loop.end_turn();
}

void SimNetwork::Body::arrive_syn(const std::shared_ptr<SimConnection>& connection,
                                  std::uint32_t slot) {
  SimConnection::End& end = connection->end[SimConnection::server];
  const SocketAddress& from = connection->end[SimConnection::client].address;
  const std::vector<void*>* owners = tcp.owners(end.address);
  SimListener* listener = nullptr;
  if (owners != nullptr) {
    const std::size_t index = std::hash<SocketAddress>{}(from) / 7 % owners->size();
    listener = static_cast<SimListener*>((*owners)[index]);
  }
  if (listener != nullptr && !listener->loop().is_serving()) {
    if (listener->loop().hold(EventKind::stream, slot)) return;
    listener = nullptr;
  }
  stream_events[slot].connection.reset();
  free_stream_events.push_back(slot);
  if (listener == nullptr) {
    ++counters.streams_refused;
    end.inbound.clear();
    end.inbound_bytes = 0;
    connection->is_broken = true;
    if (answers_unreachable) {
      SimConnection::put(*this, connection, SimConnection::client,
                         {Item::Kind::broken, ECONNREFUSED, {}});
    } else {
      connection->end[SimConnection::client].inbound.push_back({Item::Kind::broken, ETIMEDOUT, {}});
      schedule_stream(now_us + connect_timeout_us, {connection, SimConnection::client, 0});
    }
    return;
  }
  end.inbound.pop_front();
  ++counters.streams_opened;
  SimLoop& loop = listener->loop();
  SimConnection::put(*this, connection, SimConnection::client, {Item::Kind::established, 0, {}});
  auto stream = std::make_unique<SimStream>(loop, connection, SimConnection::server);
  loop.begin_turn();
  loop.guarded([&] { listener->handler().on_accept(std::move(stream)); });
  loop.end_turn();
}

std::size_t SimNetwork::Body::reset_streams(const IpAddress& a, const IpAddress& b) {
  std::size_t count = 0;
  for (const std::weak_ptr<SimConnection>& known : connections) {
    const std::shared_ptr<SimConnection> connection = known.lock();
    if (!connection || connection->is_broken) continue;
    const IpAddress& client = connection->end[0].address.ip;
    const IpAddress& server = connection->end[1].address.ip;
    if (!((client == a && server == b) || (client == b && server == a))) continue;
    SimConnection::break_end(*this, connection, SimConnection::client, ECONNRESET);
    SimConnection::break_end(*this, connection, SimConnection::server, ECONNRESET);
    ++count;
  }
  return count;
}

SimStream::SimStream(SimLoop& loop, std::shared_ptr<SimConnection> connection, std::uint8_t side)
    : loop_(loop),
      connection_(std::move(connection)),
      side_(side),
      is_connected_(side == SimConnection::server) {
  own().stream = this;
}

SimStream::~SimStream() {
  own().stream = nullptr;
  if (!is_closed_ && !connection_->is_broken) {
    SimConnection::put(loop_.body(), connection_, static_cast<std::uint8_t>(1 - side_),
                       {Item::Kind::closed, 0, {}});
  }
}

void SimStream::set_handler(io::StreamHandler& handler) noexcept {
  handler_ = &handler;
  SimNetwork::Body& body = loop_.body();
  for (; own().held > 0; --own().held)
    body.schedule_stream(body.now_us, {connection_, side_, 0});
}

Result<void> SimStream::send(std::string_view bytes) {
  if (is_closed_ || connection_->is_broken) {
    return Error{ErrorCode::wrong_state, "connection with " + remote().to_string() + " was closed"};
  }
  if (bytes.size() > queue_bytes_max - peer().inbound_bytes) {
    return Error{ErrorCode::limit, "connection with " + remote().to_string() + " had " +
                                       std::to_string(peer().inbound_bytes) + " bytes queued"};
  }
  SimNetwork::Body& body = loop_.body();
  while (!bytes.empty()) {
    // Cut where it suits nobody: a receiver must not take a read for a message.
    const std::uint64_t bound = std::min<std::uint64_t>(bytes.size(), segment_bytes_max);
    const std::size_t size = static_cast<std::size_t>(1 + body.random.below(bound));
    SimConnection::put(body, connection_, static_cast<std::uint8_t>(1 - side_),
                       {Item::Kind::bytes, 0, std::string(bytes.substr(0, size))});
    bytes.remove_prefix(size);
  }
  return {};
}

void SimStream::deliver(Item item) {
  io::StreamHandler& handler = *handler_;
  switch (item.kind) {
    case Item::Kind::syn:
      return;
    case Item::Kind::established:
      is_connected_ = true;
      return loop_.guarded([&] { handler.on_connected(); });
    case Item::Kind::bytes:
      return loop_.guarded([&] { handler.on_bytes(item.bytes); });
    case Item::Kind::closed: {
      is_closed_ = true;
      const Error error{ErrorCode::io,
                        "connection with " + remote().to_string() + " was closed by the peer"};
      return loop_.guarded([&] { handler.on_closed(error); });
    }
    case Item::Kind::broken: {
      is_closed_ = true;
      connection_->is_broken = true;
      const Error error =
          io::socket_error(is_connected_ ? "lost connection with" : "could not connect to",
                           remote(), item.error_number);
      return loop_.guarded([&] { handler.on_closed(error); });
    }
  }
}

Result<std::unique_ptr<io::StreamConnection>> SimLoop::connect(const SocketAddress& remote,
                                                               io::StreamHandler& handler) {
  if (remote.ip.family == IpAddress::Family::none) {
    return Error{ErrorCode::invalid_argument, "a socket address had no IP address"};
  }
  SimNetwork::Body& body = *body_;
  auto connection = std::make_shared<SimConnection>();
  connection->end[SimConnection::client].address = {
      host_address(remote.ip.family),
      static_cast<std::uint16_t>(PortTable::ephemeral_first + body.next_client_port)};
  body.next_client_port = (body.next_client_port + 1) % PortTable::ephemeral_count;
  connection->end[SimConnection::server].address = remote;
  if (body.connections.size() % 64 == 0) {
    std::erase_if(body.connections, [](const auto& known) { return known.expired(); });
  }
  body.connections.push_back(connection);
  auto stream = std::make_unique<SimStream>(*this, connection, SimConnection::client);
  stream->set_handler(handler);
  SimConnection::put(body, connection, SimConnection::server, {Item::Kind::syn, 0, {}});
  return std::unique_ptr<io::StreamConnection>(std::move(stream));
}

SimListener::~SimListener() {
  if (is_bound_) loop_.body().tcp.release(owned_, this);
}

Result<void> SimListener::bind(const SocketAddress& local, bool reuse_port) {
  auto bound = loop_.body().tcp.bind("TCP", loop_.owned_address(local), reuse_port, this);
  if (!bound) return std::move(bound).error();
  owned_ = *bound;
  local_ = {local.ip, owned_.port};
  is_bound_ = true;
  return {};
}

}  // namespace tandem::sim
