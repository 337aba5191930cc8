#include "sip/register_request.hpp"

#include <charconv>

#include "base/text.hpp"
#include "sip/contact.hpp"
#include "sip/content.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

void append_lower(std::string_view text, std::string& out) {
  for (const char c : text)
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// Seconds; -1 for what is none. More than 31 bits count as the most.
std::int32_t read_seconds(std::string_view text) noexcept {
  if (text.empty()) return -1;
  std::int32_t seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (read.ptr != text.data() + text.size() || seconds < 0) return -1;
  return read.ec == std::errc::result_out_of_range ? INT32_MAX : seconds;
}

/// The digest credentials of one request.
class RequestCredentials final : public CredentialCheck {
 public:
  RequestCredentials(const StackWorker& worker, const Message& request, std::string binding,
                     std::int64_t now_us)
      : worker_(worker), request_(request), binding_(std::move(binding)), now_us_(now_us) {}

  [[nodiscard]] std::string username(std::string_view realm) const override {
    for (std::size_t i = 0; i < request_.header_count; ++i) {
      if (request_.headers[i].id != HeaderId::authorization) continue;
      auto value = parse_digest(request_.headers[i].value);
      if (value && value->realm == realm) return std::move(value->username);
    }
    return {};
  }

  [[nodiscard]] CredentialVerdict check(const Credentials& credentials,
                                        NonceUse& use) const override {
    CredentialVerdict verdict = CredentialVerdict::none;
    DigestServer::Request request;
    request.method = request_.method_token;
    request.uri = request_.request_uri;
    request.binding = binding_;
    request.now_us = now_us_;
    for (std::size_t i = 0; i < request_.header_count; ++i) {
      if (request_.headers[i].id != HeaderId::authorization) continue;
      request.authorization = request_.headers[i].value;
      switch (worker_.digest().verify(request, credentials.username, credentials.password,
                                      credentials.realm, &use)) {
        case DigestVerdict::verified:
          return CredentialVerdict::verified;
        case DigestVerdict::wrong:
          verdict = CredentialVerdict::wrong;
          break;
        case DigestVerdict::stale:
          if (verdict == CredentialVerdict::none) verdict = CredentialVerdict::stale;
          break;
        case DigestVerdict::challenge:
          break;
      }
    }
    return verdict;
  }

 private:
  const StackWorker& worker_;
  const Message& request_;
  const std::string binding_;
  const std::int64_t now_us_;
};

std::string contact_lines(const std::vector<BoundContact>& contacts) {
  std::string lines;
  for (const BoundContact& contact : contacts) {
    lines += "Contact: <" + contact.uri + ">;expires=" + std::to_string(contact.expires_s);
    if (contact.q_thousandths != 1000) {
      const std::string digits = std::to_string(1000 + contact.q_thousandths);
      lines += ";q=0." + digits.substr(1);
    }
    lines += '\n';
  }
  return lines;
}

/// Whether the client says that it speaks RFC 3327.
bool knows_path(const Message& request) {
  for (std::size_t i = 0; i < request.header_count; ++i) {
    const Header& header = request.headers[i];
    if (header.id != HeaderId::supported && header.id != HeaderId::require) continue;
    std::string_view list = header.value;
    while (!list.empty()) {
      if (equals_ignoring_case(next_element(list), "path")) return true;
    }
  }
  return false;
}

/// `path`: an entry a line.
std::string path_lines(std::string_view path) {
  std::string lines;
  while (!path.empty()) {
    const std::string_view entry = path.substr(0, path.find('\n'));
    lines += "Path: ";
    lines += entry;
    lines += '\n';
    path.remove_prefix(std::min(entry.size() + 1, path.size()));
  }
  return lines;
}

}  // namespace

std::string uri_identity(const Uri& uri) {
  std::string text;
  append_lower(uri.scheme, text);
  text += ':';
  if (!uri.user.empty()) (text += uri.user) += '@';
  append_lower(uri.host, text);
  if (uri.port != 0) text += ':' + std::to_string(uri.port);
  for (const std::string_view name : {"transport", "maddr"}) {
    const std::string_view value = find_param(uri.params, name);
    if (value.empty()) continue;
    (text += ';') += name;
    text += '=';
    append_lower(value, text);
  }
  return text;
}

bool read_contacts(const Message& request, RegisterRequest& into, std::string_view& phrase) {
  into.contacts.clear();
  into.is_wildcard = false;
  const Header* const expires = request.find(HeaderId::expires);
  into.expires_s = expires == nullptr ? -1 : read_seconds(expires->value);
  const auto fail = [&phrase](std::string_view why) {
    phrase = why;
    return false;
  };
  for (std::size_t i = 0; i < request.header_count; ++i) {
    if (request.headers[i].id != HeaderId::contact) continue;
    std::string_view list = request.headers[i].value;
    while (!list.empty()) {
      const std::string_view element = trimmed(next_element(list));
      if (element == "*") {
        into.is_wildcard = true;
        continue;
      }
      NameAddress address;
      Uri uri;
      if (!parse_name_address(element, address) || !is_plain_uri(address.uri))
        return fail("Malformed Contact");
      if (address.uri.size() > contact_uri_bytes_max) return fail("Contact Too Long");
      if (!parse_uri(address.uri, uri)) return fail("Malformed Contact");
      if (!equals_ignoring_case(uri.scheme, "sip") && !is_secure(address.uri)) continue;
      if (into.contacts.size() == register_contacts_max) return fail("Too Many Contacts");
      OfferedContact& contact = into.contacts.emplace_back();
      contact.uri = address.uri;
      contact.identity = uri_identity(uri);
      const std::string_view transport = find_param(uri.params, "transport");
      if (!transport.empty() || is_secure(address.uri))
        contact.transport = uri_transport(uri.scheme, transport, SipTransport::udp);
      // Nobody is connected to over WebSocket: who registers over it is reached as it came.
      if (contact.transport && is_websocket(*contact.transport)) contact.transport.reset();
      if (const auto ip = IpAddress::parse(uri.host)) {
        const SipTransport reached = contact.transport.value_or(SipTransport::udp);
        contact.address = {*ip, uri.port == 0 ? default_port(reached) : uri.port};
      }
      contact.expires_s = read_seconds(find_param(address.params, "expires"));
      contact.q_thousandths = read_q(find_param(address.params, "q"));
    }
  }
  // The registrar refuses both a wildcard beside contacts and one that takes nothing back.
  return true;
}

std::optional<std::string> read_route_values(const Message& message, std::string_view header) {
  std::string lines;
  std::size_t entries = 0;
  for (std::size_t i = 0; i < message.header_count; ++i) {
    if (!equals_ignoring_case(message.headers[i].name, header)) continue;
    std::string_view list = message.headers[i].value;
    while (!list.empty()) {
      const std::string_view element = trimmed(next_element(list));
      if (element.empty()) continue;
      NameAddress address;
      Uri uri;
      bool is_loose = false;
      if (!parse_name_address(element, address) || !is_plain_uri(address.uri) ||
          !parse_uri(address.uri, uri))
        return std::nullopt;
      (void)find_param(uri.params, "lr", &is_loose);
      const bool is_sip = equals_ignoring_case(uri.scheme, "sip") || is_secure(address.uri);
      // A strict router would take the Request-URI from a call that is led through it.
      if (!is_sip || !is_loose || ++entries > path_entries_max) return std::nullopt;
      // Of the value the URI alone: what else it says means nothing to a router.
      if (!lines.empty()) lines += '\n';
      lines += '<';
      lines += address.uri;
      lines += '>';
      if (lines.size() > path_bytes_max) return std::nullopt;
    }
  }
  return lines;
}

bool read_path(const Message& request, RegisterRequest& into, std::string_view& phrase) {
  auto lines = read_route_values(request, "Path");
  if (!lines) {
    phrase = "Unusable Path";
    return false;
  }
  into.path = std::move(*lines);
  into.edge = {};
  into.edge_transport.reset();
  NameAddress address;
  Uri uri;
  const std::string_view first = std::string_view(into.path).substr(0, into.path.find('\n'));
  if (first.empty() || !parse_name_address(first, address) || !parse_uri(address.uri, uri))
    return true;
  const std::string_view transport = find_param(uri.params, "transport");
  if (!transport.empty() || is_secure(address.uri))
    into.edge_transport = uri_transport(uri.scheme, transport, SipTransport::udp);
  if (into.edge_transport && is_websocket(*into.edge_transport)) into.edge_transport.reset();
  if (const auto ip = IpAddress::parse(uri.host)) {
    const SipTransport reached = into.edge_transport.value_or(SipTransport::udp);
    into.edge = {*ip, uri.port == 0 ? default_port(reached) : uri.port};
  }
  return true;
}

bool StackWorker::admit_register(std::string_view bytes, const Path& path) {
  switch (shared_.config.register_gate->admit(path.remote.ip, loop_.clock().monotonic_us())) {
    case RegisterGate::Verdict::closed:
    case RegisterGate::Verdict::pass:
      return true;
    case RegisterGate::Verdict::flood:
      return false;
    case RegisterGate::Verdict::overload: {
      const Framing framing = path.is_byte_stream() ? Framing::stream : Framing::datagram;
      if (scan(bytes, framing, *message_).kind == Fault::Kind::none)
        refuse(*message_, path, 503, {}, {}, 5);
      return false;
    }
  }
  return false;
}

void StackWorker::on_register(const Message& request, const Path& from) {
  const RegisterGate* const gate = shared_.config.register_gate;
  if (gate == nullptr || !gate->is_open())
    return refuse(request, from, 405, {}, allow_outside_line);
  if (!is_understood(request, from)) return;
  bump(counters_.registers_received);
  RegisterRequest asked;
  std::string_view phrase;
  if (!read_contacts(request, asked, phrase) || !read_path(request, asked, phrase))
    return refuse(request, from, 400, phrase);
  // A secure contact is one that nobody but TLS has told of.
  if (!is_over_tls(from.transport)) {
    std::erase_if(asked.contacts,
                  [](const OfferedContact& contact) { return is_secure(contact.uri); });
  }
  unescaped_.used_bytes = 0;
  asked.source = from.remote;
  asked.local = transports_.listening()[from.listener].address;
  asked.transport = from.transport;
  asked.flow = {from.connection.worker, from.connection.serial};
  asked.user = uri_user(request.to.uri, unescaped_);
  asked.call_id = request.call_id;
  asked.cseq = request.cseq;
  const Header* const product = request.find(HeaderId::user_agent);
  if (product != nullptr) asked.product = product->value;
  const std::string binding = from.remote.ip.to_string();
  const std::int64_t now_us = loop_.clock().monotonic_us();
  const RequestCredentials credentials(*this, request, binding, now_us);
  asked.credentials = &credentials;

  const RegisterReply reply = inbound_.on_register(asked);
  std::string lines;
  switch (reply.status) {
    case 0:
      return;
    case 200:
      lines = contact_lines(reply.contacts);
      // RFC 3327 section 5.3: who supports it shall see what calls go through.
      if (!asked.path.empty() && knows_path(request)) lines += path_lines(asked.path);
      break;
    case 401:
      for (const DigestAlgorithm algorithm : challenge_algorithms()) {
        lines += "WWW-Authenticate: " +
                 digest_.challenge(reply.realm, binding, now_us, reply.is_stale, algorithm) + '\n';
      }
      break;
    case 405:
      lines = allow_outside_line;
      break;
    case 423:
      lines = "Min-Expires: " + std::to_string(reply.min_expires_s);
      break;
    default:
      break;
  }
  refuse(request, from, reply.status, {}, lines, reply.retry_after_s);
}

}  // namespace tandem::sip
