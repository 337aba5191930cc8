#include "sim/dns_server.hpp"

#include <optional>
#include <utility>

#include "base/text.hpp"

namespace tandem::sim {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::uint16_t type_cname = 5;

void append_u16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8U & 0xffU);
  out += static_cast<char>(value & 0xffU);
}

void append_u32(std::string& out, std::uint32_t value) {
  append_u16(out, value >> 16U);
  append_u16(out, value & 0xffffU);
}

void append_name(std::string& out, std::string_view name) {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  out += '\0';
}

std::string lower(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += to_lower(c);
  return out;
}

std::optional<std::uint16_t> type_number(std::string_view type) {
  for (const auto& [name, number] :
       {std::pair("A", 1), {"CNAME", 5}, {"AAAA", 28}, {"SRV", 33}, {"NAPTR", 35}}) {
    if (type == name) return static_cast<std::uint16_t>(number);
  }
  return std::nullopt;
}

std::string type_text(std::uint16_t number) {
  for (const char* name : {"A", "CNAME", "AAAA", "SRV", "NAPTR"}) {
    if (type_number(name) == number) return name;
  }
  return std::to_string(number);
}

/// The next word, which may stand in quotes; the text loses it.
std::string_view take_word(std::string_view& text) {
  while (text.starts_with(' '))
    text.remove_prefix(1);
  const bool is_quoted = text.starts_with('"');
  if (is_quoted) text.remove_prefix(1);
  const std::size_t end = text.find(is_quoted ? '"' : ' ');
  const std::string_view word = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return word;
}

void append_record(std::string& out, std::string_view name, std::uint16_t type, std::uint32_t ttl_s,
                   std::string_view data) {
  append_name(out, name);
  append_u16(out, type);
  append_u16(out, 1);
  append_u32(out, ttl_s);
  append_u16(out, static_cast<unsigned>(data.size()));
  out += data;
}

/// The question of a query: its name and type, and where it ends; 0: it is none.
struct Asked {
  std::string name;
  std::uint16_t type = 0;
  std::size_t end = 0;
};

Asked question_of(std::string_view query) {
  Asked asked;
  std::size_t at = header_bytes;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<unsigned char>(query[at]);
    if (length > 63 || at + 1 + length > query.size()) return {};
    if (!asked.name.empty()) asked.name += '.';
    asked.name += query.substr(at + 1, length);
    at += 1U + length;
  }
  if (at + 5 > query.size()) return {};
  asked.type = static_cast<std::uint16_t>(static_cast<unsigned char>(query[at + 1]) << 8U |
                                          static_cast<unsigned char>(query[at + 2]));
  asked.end = at + 5;
  return asked;
}

std::string head_of(std::string_view query, std::size_t question_end, unsigned flags,
                    unsigned answers, unsigned authorities) {
  std::string out(query.substr(0, 2));
  append_u16(out, flags);
  for (const unsigned count : {1U, answers, authorities, 0U})
    append_u16(out, count);
  out += query.substr(header_bytes, question_end - header_bytes);
  return out;
}

}  // namespace

Result<std::string> dns_record_data(std::string_view type, std::string_view text) {
  const Error bad{ErrorCode::invalid_argument,
                  "\"" + std::string(text) + "\" is no data of a " + std::string(type) + " record"};
  std::string data;
  std::string_view rest = text;
  const auto number = [&] { return parse_integer<std::uint16_t>(take_word(rest)); };
  if (type == "A" || type == "AAAA") {
    const auto ip = IpAddress::parse(take_word(rest));
    if (!ip || ip->is_ipv6() != (type == "AAAA") || !rest.empty()) return bad;
    data.assign(ip->bytes.begin(), ip->bytes.begin() + (ip->is_ipv6() ? 16 : 4));
    return data;
  }
  if (type == "SRV" || type == "NAPTR") {
    for (int i = 0; i < (type == "SRV" ? 3 : 2); ++i) {
      const auto value = number();
      if (!value) return bad;
      append_u16(data, *value);
    }
  }
  if (type == "NAPTR") {
    for (int i = 0; i < 3; ++i) {
      const std::string_view word = take_word(rest);
      if (word.size() > 255) return bad;
      data += static_cast<char>(word.size());
      data += word;
    }
  }
  std::string_view name = take_word(rest);
  if (name == ".") name = {};
  if (!io::dns::is_name(name) || !rest.empty()) return bad;
  append_name(data, name);
  return data;
}

/// Answers what comes in one connection, a question at a time.
class DnsServer::Body::Connection final : private io::StreamHandler {
 public:
  Connection(Body& owner, std::unique_ptr<io::StreamConnection> connection)
      : owner_(owner), connection_(std::move(connection)) {
    connection_->set_handler(*this);
  }

 private:
  void on_bytes(std::string_view bytes) override {
    received_ += bytes;
    if (received_.size() < 2) return;
    const std::size_t length = std::size_t{static_cast<unsigned char>(received_[0])} << 8U |
                               static_cast<unsigned char>(received_[1]);
    if (received_.size() < 2 + length) return;
    const std::string answer = owner_.answer(std::string_view(received_).substr(2, length), true);
    received_.erase(0, 2 + length);
    if (answer.empty()) return;
    std::string out;
    append_u16(out, static_cast<unsigned>(answer.size()));
    (void)connection_->send(out + answer);  // who closes wants no answer
  }
  void on_closed(const Error&) override {}

  Body& owner_;
  std::unique_ptr<io::StreamConnection> connection_;
  std::string received_;
};

Result<std::unique_ptr<DnsServer::Body>> DnsServer::Body::create(SimNetwork& network,
                                                                 const SocketAddress& address) {
  auto body = std::make_unique<Body>();
  auto loop = network.create_loop("dns " + address.to_string(), address.ip);
  if (!loop) return loop.error();
  body->loop_ = std::move(*loop);
  auto socket = body->loop_->open_datagram(address, {}, *body);
  if (!socket) return socket.error();
  body->socket_ = std::move(*socket);
  auto listener = body->loop_->listen(address, false, *body);
  if (!listener) return listener.error();
  body->listener_ = std::move(*listener);
  body->loop_->start();
  return body;
}

DnsServer::Body::~Body() {
  connections_.clear();
  listener_.reset();
  socket_.reset();
  if (loop_ != nullptr) loop_->stop();
}

void DnsServer::Body::on_datagram(const SocketAddress& from, std::string_view bytes) {
  if (forged.family != IpAddress::Family::none) forge(from, bytes);
  const std::string reply = answer(bytes, false);
  if (!reply.empty()) socket_->send(from, reply);
}

void DnsServer::Body::on_accept(std::unique_ptr<io::StreamConnection> connection) {
  connections_.push_back(std::make_unique<Connection>(*this, std::move(connection)));
}

std::string DnsServer::Body::answer(std::string_view query, bool is_stream) {
  const Asked question = question_of(query);
  if (question.end == 0) return {};
  asked.push_back(lower(question.name) + ' ' + type_text(question.type) +
                  (is_stream ? " tcp" : ""));
  if (is_silent) return {};
  if (code != 0) return head_of(query, question.end, 0x8180U | static_cast<unsigned>(code), 0, 0);
  if (is_truncating && !is_stream) return head_of(query, question.end, 0x8380, 0, 0);
  std::string records;
  unsigned count = 0;
  bool is_known = false;
  std::string name = question.name;
  for (int links = 0; links < 16; ++links) {
    const auto sets = zone.find(lower(name));
    is_known = sets != zone.end();
    if (!is_known) break;
    const auto wanted = sets->second.find(question.type);
    const auto alias = sets->second.find(type_cname);
    const bool is_wanted = wanted != sets->second.end();
    if (!is_wanted && alias == sets->second.end()) break;
    const auto& [type, set] = is_wanted ? *wanted : *alias;
    for (const std::string& data : set.data) {
      append_record(records, name, type, set.ttl_s, data);
      ++count;
    }
    if (is_wanted || !follows_aliases) break;
    name = set.alias;
  }
  if (count > 0) return head_of(query, question.end, 0x8180, count, 0) + records;
  std::string soa;
  append_name(soa, "ns.invalid");
  append_name(soa, "root.invalid");
  for (const std::uint32_t value : {1U, 3600U, 600U, 86400U, negative_ttl_s})
    append_u32(soa, value);
  append_record(records, {}, 6, 86'400, soa);
  return head_of(query, question.end, is_known ? 0x8180 : 0x8183, 0, 1) + records;
}

/// What somebody would send who does not see the question but guesses: another id, and the letters
/// of the name in other cases.
void DnsServer::Body::forge(const SocketAddress& to, std::string_view query) {
  const Asked question = question_of(query);
  if (question.end == 0 || question.type != 1) return;
  const std::string data(forged.bytes.begin(), forged.bytes.begin() + 4);
  std::string other_id(query);
  other_id[0] = static_cast<char>(other_id[0] ^ 0x55);
  std::string other_case(query);
  for (std::size_t i = header_bytes; i < question.end - 4; ++i) {
    const char c = to_lower(other_case[i]);
    if (c >= 'a' && c <= 'z') other_case[i] = static_cast<char>(other_case[i] ^ 0x20);
  }
  for (const std::string& guess : {other_id, other_case}) {
    std::string reply = head_of(guess, question.end, 0x8180, 1, 0);
    append_record(reply, question_of(guess).name, 1, 3'600, data);
    socket_->send(to, reply);
  }
}

DnsServer::DnsServer(std::unique_ptr<Body> body) : body_(std::move(body)) {}
DnsServer::~DnsServer() = default;

Result<void> DnsServer::set(const std::string& name, const std::string& type,
                            const std::vector<std::string>& data, std::uint32_t ttl_s) {
  const auto number = type_number(type);
  if (!number) {
    return Error{ErrorCode::invalid_argument,
                 "\"" + type + "\" is no type: A, AAAA, CNAME, SRV or NAPTR"};
  }
  if (!io::dns::is_name(name))
    return Error{ErrorCode::invalid_argument, "\"" + name + "\" is no name of DNS"};
  Body::RecordSet set;
  set.ttl_s = ttl_s;
  for (const std::string& text : data) {
    auto bytes = dns_record_data(type, text);
    if (!bytes) return bytes.error();
    set.data.push_back(std::move(*bytes));
    if (type == "CNAME") set.alias = text;
  }
  auto& sets = body_->zone[lower(name)];
  if (data.empty()) {
    sets.erase(*number);
  } else {
    sets[*number] = std::move(set);
  }
  return {};
}
void DnsServer::forget(const std::string& name) { body_->zone.erase(lower(name)); }
void DnsServer::set_negative_ttl_s(std::uint32_t ttl_s) { body_->negative_ttl_s = ttl_s; }
void DnsServer::set_code(int code) { body_->code = code; }
void DnsServer::set_silent(bool is_silent) { body_->is_silent = is_silent; }
void DnsServer::set_truncating(bool is_truncating) { body_->is_truncating = is_truncating; }
void DnsServer::set_follows_aliases(bool follows) { body_->follows_aliases = follows; }
void DnsServer::set_forged(const IpAddress& address) { body_->forged = address; }
const std::vector<std::string>& DnsServer::asked() const { return body_->asked; }

}  // namespace tandem::sim
