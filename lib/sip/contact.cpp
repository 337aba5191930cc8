#include "sip/contact.hpp"

#include <algorithm>

#include "sip/content.hpp"
#include "sip/transport_name.hpp"

namespace tandem::sip {
namespace {

constexpr std::size_t target_uri_bytes_max = 512;

/// False: no place that a call can go to.
bool read_target(std::string_view element, SipTransport usual, RedirectTarget& target) {
  NameAddress address;
  Uri uri;
  if (!parse_name_address(element, address) || !is_plain_uri(address.uri)) return false;
  if (address.uri.size() > target_uri_bytes_max || !parse_uri(address.uri, uri)) return false;
  if (!equals_ignoring_case(uri.scheme, "sip") && !is_secure(address.uri)) return false;
  // Another place, or another request, than the ones that are looked at.
  bool has_method = false, has_maddr = false;
  (void)find_param(uri.params, "method", &has_method);
  (void)find_param(uri.params, "maddr", &has_maddr);
  if (has_method || has_maddr) return false;
  const std::string_view transport = find_param(uri.params, "transport");
  const auto wanted = uri_transport(uri.scheme, transport, usual);
  // Who is spoken with in secret does not choose that others may listen.
  if (!wanted || (usual == SipTransport::tls && *wanted != SipTransport::tls)) return false;
  if (is_websocket(*wanted)) return false;  // whose end is a browser, which nobody connects to
  target.transport = *wanted;
  // Headers that a URI asks for are none of those that a redirection may choose (RFC 3261
  // section 19.1.5).
  target.uri = address.uri;
  if (!uri.headers.empty()) target.uri.resize(target.uri.size() - uri.headers.size() - 1);
  Unescaped unescaped;
  target.user = uri_user(address.uri, unescaped);
  if (const auto ip = IpAddress::parse(uri.host))
    target.address = {*ip, uri.port == 0 ? default_port(target.transport) : uri.port};
  target.q_thousandths = read_q(find_param(address.params, "q"));
  return true;
}

}  // namespace

std::int32_t read_q(std::string_view text) noexcept {
  constexpr std::int32_t whole = 1000;
  if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5) return whole;
  if (text.size() > 1 && text[1] != '.') return whole;
  std::int32_t q = (text[0] - '0') * whole;
  std::int32_t place = whole / 10;
  for (std::size_t i = 2; i < text.size(); ++i, place /= 10) {
    if (text[i] < '0' || text[i] > '9') return whole;
    q += (text[i] - '0') * place;
  }
  return std::min(q, whole);
}

bool is_secure(std::string_view uri) noexcept {
  return equals_ignoring_case(uri.substr(0, 5), "sips:");
}

bool is_plain_uri(std::string_view uri) noexcept {
  return std::all_of(uri.begin(), uri.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '<' && c != '>' && c != '"';
  });
}

std::vector<RedirectTarget> redirect_targets(const Message& response, SipTransport usual) {
  std::vector<RedirectTarget> targets;
  if (response.status < 300 || response.status > 302) return targets;
  for (std::size_t i = 0; i < response.header_count; ++i) {
    if (response.headers[i].id != HeaderId::contact) continue;
    std::string_view list = response.headers[i].value;
    while (!list.empty() && targets.size() < redirect_targets_max) {
      RedirectTarget target;
      if (read_target(next_element(list), usual, target)) targets.push_back(std::move(target));
    }
  }
  std::stable_sort(targets.begin(), targets.end(),
                   [](const RedirectTarget& a, const RedirectTarget& b) {
                     return a.q_thousandths > b.q_thousandths;
                   });
  return targets;
}

}  // namespace tandem::sip
