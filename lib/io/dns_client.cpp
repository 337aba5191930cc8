#include "io/dns_client.hpp"

#include <string>
#include <utility>

#include "base/text.hpp"

namespace tandem::io {
namespace {

constexpr std::size_t length_bytes = 2;  // in front of a message on a stream
constexpr int socket_buffer_bytes = 256 << 10;
constexpr std::size_t datagram_bytes_max = 4096;  // more than questions say we take
constexpr std::size_t header_bytes = 12;          // of a message
constexpr int format_error = 1, not_implemented = 4;

std::uint16_t id_of(std::string_view message) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(message[0]) << 8U |
                                    static_cast<unsigned char>(message[1]));
}

/// A name with letters of random cases, which a server repeats as they are: what a forger must
/// guess besides the id.
void mix_cases(std::string& name, Random& random) {
  std::uint64_t bits = 0;
  unsigned left = 0;
  for (char& c : name) {
    const char lower = to_lower(c);
    if (lower < 'a' || lower > 'z') continue;
    if (left == 0) {
      bits = random.next();
      left = 64;
    }
    c = (bits & 1U) != 0 ? static_cast<char>(lower - 'a' + 'A') : lower;
    bits >>= 1U;
    --left;
  }
}

bool is_exact_answer(const dns::Response& response, std::uint16_t id,
                     const dns::Question& question) noexcept {
  return dns::is_answer_to(response, id, question) && response.question.name == question.name;
}

/// Whether it says no more than that its sender did not understand: old servers answer the OPT
/// record so, without the question.
bool is_bare_refusal(std::string_view message) noexcept {
  if (message.size() < header_bytes) return false;
  const int code = message[3] & 0xf;
  const bool is_response = (message[2] & 0x80) != 0;
  const bool has_question = message[4] != 0 || message[5] != 0;
  return is_response && !has_question && (code == format_error || code == not_implemented);
}

}  // namespace

/// One question over TCP, on a connection of its own.
class DnsClient::Stream final : private StreamHandler {
 public:
  Stream(DnsClient& client, std::uint16_t wire_id, std::string query)
      : client_(client), wire_id_(wire_id), query_(std::move(query)) {}

  Result<void> open(const SocketAddress& server) {
    auto connection = client_.loop_.connect(server, *this);
    if (!connection) return std::move(connection).error();
    connection_ = std::move(*connection);
    return {};
  }
  /// Nothing is heard of it any more.
  void end() noexcept { is_over_ = true; }

 private:
  void on_connected() override {
    std::string bytes;
    bytes += static_cast<char>(query_.size() >> 8U);
    bytes += static_cast<char>(query_.size() & 0xffU);
    bytes += query_;
    // A closed connection tells so by on_closed(); the queue of a new one holds any question.
    (void)connection_->send(bytes);
  }

  void on_bytes(std::string_view bytes) override {
    if (is_over_) return;
    received_ += bytes;
    if (received_.size() < length_bytes) return;
    const std::size_t length = std::size_t{static_cast<unsigned char>(received_[0])} << 8U |
                               static_cast<unsigned char>(received_[1]);
    if (received_.size() < length_bytes + length) return;
    const auto asked = client_.asked_.find(wire_id_);
    const auto response =
        dns::decode_response(std::string_view(received_).substr(length_bytes, length));
    if (!response) return client_.fail(wire_id_, response.error().message);
    if (!is_exact_answer(*response, wire_id_, asked->second.question))
      return client_.fail(wire_id_, "DNS response was to another question");
    if (response->is_truncated) return client_.fail(wire_id_, "DNS response was cut over TCP");
    client_.answer(asked, *response);
  }

  void on_closed(const Error& error) override {
    if (!is_over_) client_.fail(wire_id_, error.message);
  }

  DnsClient& client_;
  const std::uint16_t wire_id_;
  const std::string query_;
  std::string received_;  // at most a message and what came behind it in one read
  bool is_over_ = false;  // its question is not under way any more
  std::unique_ptr<StreamConnection> connection_;
};

DnsClient::DnsClient(Loop& loop, Random& random, DnsEvents& events)
    : loop_(loop), random_(random), events_(events) {}

DnsClient::~DnsClient() { *is_alive_ = false; }

bool DnsClient::ask(std::uint64_t id, const SocketAddress& server, dns::Question question) {
  if (asked_.size() >= questions_max) return false;
  DatagramSocket* const socket = socket_for(server.ip);
  if (socket == nullptr) return false;
  auto wire_id = static_cast<std::uint16_t>(random_.next());
  while (asked_.contains(wire_id))  // three in four are free
    wire_id = static_cast<std::uint16_t>(random_.next());
  mix_cases(question.name, random_);
  const auto query = dns::encode_query(wire_id, question);
  if (!query) return false;
  ++counters_.questions;
  asked_.emplace(wire_id, Asked{id, server, std::move(question), nullptr});
  wire_ids_.emplace(id, wire_id);
  socket->send(server, *query);
  return true;
}

void DnsClient::forget(std::uint64_t id) {
  const auto known = wire_ids_.find(id);
  if (known != wire_ids_.end()) erase(asked_.find(known->second));
}

DatagramSocket* DnsClient::socket_for(const IpAddress& server) {
  std::unique_ptr<DatagramSocket>& socket = sockets_[server.is_ipv6() ? 1 : 0];
  if (socket == nullptr) {
    DatagramOptions options;
    options.receive_buffer_bytes = options.send_buffer_bytes = socket_buffer_bytes;
    options.datagram_bytes_max = datagram_bytes_max;
    SocketAddress any;
    any.ip.family = server.family;
    DatagramHandler& handler = *this;
    auto opened = loop_.open_datagram(any, options, handler);
    if (!opened) return nullptr;
    socket = std::move(*opened);
  }
  return socket.get();
}

void DnsClient::on_datagram(const SocketAddress& from, std::string_view bytes) {
  // Who sends what nobody asked for is not worth a look at its records.
  const auto asked = bytes.size() < header_bytes ? asked_.end() : asked_.find(id_of(bytes));
  if (asked == asked_.end() || asked->second.server != from || asked->second.stream != nullptr) {
    ++counters_.strays;
    return;
  }
  if (is_bare_refusal(bytes)) return fail(asked->first, "server did not understand the question");
  const auto response = dns::decode_response(bytes);
  if (!response || !is_exact_answer(*response, asked->first, asked->second.question)) {
    ++counters_.strays;
    return;
  }
  if (response->is_truncated) return ask_by_stream(asked);
  answer(asked, *response);
}

void DnsClient::on_unreachable(const SocketAddress& to) {
  std::vector<std::uint16_t> lost;
  for (const auto& [wire_id, asked] : asked_) {
    if (asked.server == to && asked.stream == nullptr) lost.push_back(wire_id);
  }
  for (const std::uint16_t wire_id : lost) {
    // Whoever is told may ask again, which could take the id of one that was lost and forgotten.
    const auto asked = asked_.find(wire_id);
    if (asked != asked_.end() && asked->second.server == to && asked->second.stream == nullptr)
      fail(wire_id, "server was unreachable");
  }
}

void DnsClient::ask_by_stream(ByWireId::iterator asked) {
  const std::uint16_t wire_id = asked->first;
  if (streams_ >= streams_max) return fail(wire_id, "too many answers were truncated");
  auto query = dns::encode_query(wire_id, asked->second.question);
  if (!query) return fail(wire_id, query.error().message);
  ++counters_.truncated;
  ++streams_;
  asked->second.stream = std::make_unique<Stream>(*this, wire_id, std::move(*query));
  if (auto opened = asked->second.stream->open(asked->second.server); !opened)
    fail(wire_id, opened.error().message);
}

void DnsClient::answer(ByWireId::iterator asked, const dns::Response& response) {
  const std::uint64_t id = asked->second.id;
  ++counters_.answers;
  erase(asked);
  events_.on_dns_answer(id, response);
}

void DnsClient::fail(std::uint16_t wire_id, std::string_view reason) {
  const auto asked = asked_.find(wire_id);
  if (asked == asked_.end()) return;
  const std::uint64_t id = asked->second.id;
  const std::string text(reason);  // may be of the stream that goes
  erase(asked);
  events_.on_dns_failure(id, text);
}

void DnsClient::erase(ByWireId::iterator asked) {
  if (std::unique_ptr<Stream> stream = std::move(asked->second.stream); stream != nullptr) {
    --streams_;
    stream->end();
    // Its own handler may be running, so it goes at the end of the turn.
    retired_.push_back(std::move(stream));
    if (retired_.size() == 1) {
      loop_.defer([this, alive = is_alive_] {
        if (*alive) retired_.clear();
      });
    }
  }
  wire_ids_.erase(asked->second.id);
  asked_.erase(asked);
}

}  // namespace tandem::io
