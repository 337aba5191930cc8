#include "sip/referral.hpp"

#include <algorithm>

namespace tandem::sip {
namespace {

/// Value of the header of that name in a URI; "" when it has none.
std::string_view uri_header(std::string_view headers, std::string_view name) noexcept {
  while (!headers.empty()) {
    const std::string_view one = headers.substr(0, headers.find('&'));
    headers.remove_prefix(std::min(one.size() + 1, headers.size()));
    const std::size_t equals = one.find('=');
    if (equals != std::string_view::npos && equals_ignoring_case(one.substr(0, equals), name))
      return one.substr(equals + 1);
  }
  return {};
}

}  // namespace

bool read_replaces(std::string_view value, DialogName& dialog) noexcept {
  const std::size_t params = value.find(';');
  if (params == std::string_view::npos) return false;
  std::string_view call_id = value.substr(0, params);
  while (!call_id.empty() && (call_id.back() == ' ' || call_id.back() == '\t'))
    call_id.remove_suffix(1);
  dialog = {call_id, find_param(value.substr(params), "to-tag"),
            find_param(value.substr(params), "from-tag")};
  return !dialog.call_id.empty() && !dialog.own_tag.empty() && !dialog.peer_tag.empty();
}

bool read_replacement(const Message& invite, Replacement& into, bool& is_there) noexcept {
  const Header* const header = invite.find(HeaderId::replaces);
  is_there = header != nullptr;
  if (!is_there) return true;
  const auto* const end = invite.headers.data() + invite.header_count;
  const bool is_twice = std::any_of(
      header + 1, end, [](const Header& other) { return other.id == HeaderId::replaces; });
  if (is_twice) return false;
  const std::string_view value = header->value;
  // Two values are two headers (RFC 3891 section 3), and Call-IDs have no comma.
  if (value.find(',') != std::string_view::npos || !read_replaces(value, into.dialog)) return false;
  (void)find_param(value.substr(value.find(';')), "early-only", &into.is_early_only);
  return find_value(invite, "Join").empty();
}

bool read_referral(const Message& refer, Unescaped& room, Referral& into) noexcept {
  const Header* const header = refer.find(HeaderId::refer_to);  // twice is a fault
  if (header == nullptr) return false;
  std::string_view list = header->value;
  const std::string_view value = next_element(list);
  NameAddress address;
  if (!list.empty() || value.empty() || !parse_name_address(value, address)) return false;
  if (!equals_ignoring_case(address.uri.substr(0, 4), "tel:")) {
    Uri uri;
    if (!parse_uri(address.uri, uri)) return false;
    const std::string_view method = find_param(uri.params, "method");
    if (!method.empty() && method != "INVITE") return false;
    const std::string_view replaces = unescaped(uri_header(uri.headers, "Replaces"), room);
    if (!replaces.empty() && !read_replaces(replaces, into.replaces)) return false;
  }
  into.user = uri_user(address.uri, room);
  into.referred_by = find_value(refer, "Referred-By");
  if (into.referred_by.empty()) into.referred_by = find_value(refer, "b");
  into.sequence = refer.cseq;
  return !into.user.empty() || !into.replaces.call_id.empty();
}

}  // namespace tandem::sip
