#include "call/identity.hpp"

#include <algorithm>

#include "sip/content.hpp"

namespace tandem {

bool HeaderPass::passes(std::string_view name) const noexcept {
  return all || std::any_of(names.begin(), names.end(), [&](const std::string& passed) {
           return sip::equals_ignoring_case(passed, name);
         });
}

std::int32_t replaced_code(const std::vector<CodeReplacement>& list, std::int32_t code) noexcept {
  std::int32_t other = 0;
  for (const CodeReplacement& row : list) {
    if (row.from == code) return row.to != 0 ? row.to : code;
    if (row.from == 0) other = row.to;
  }
  return other != 0 ? other : code;
}

namespace {

constexpr std::string_view template_names[] = {"caller", "callee", "callid", "account"};

/// The next ${name} of a template. False: none is left.
bool next_placeholder(std::string_view value, std::size_t from, std::size_t& begin,
                      std::size_t& end) noexcept {
  begin = value.find("${", from);
  if (begin == std::string_view::npos) return false;
  end = value.find('}', begin);
  return end != std::string_view::npos;
}

}  // namespace

Result<void> HeaderPass::check(std::string_view name) {
  const char* why = nullptr;
  if (!sip::is_token(name)) {
    why = "\" is no name of a header";
  } else if (sip::is_own_name(name)) {
    why = "\" is never passed: it is about one side's connection, dialog or content";
  } else if (call::has_setting(name)) {
    why = "\" has a setting of its own";
  }
  if (why == nullptr) return {};
  return Error{ErrorCode::invalid_argument, "\"" + std::string(name.substr(0, 80)) + why};
}

Result<HeaderTemplate> HeaderTemplate::parse(std::string_view line) {
  const auto refused = [&](const char* why) {
    return Error{ErrorCode::invalid_argument,
                 "\"" + std::string(line.substr(0, 80)) + "\" is no header to add: " + why};
  };
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refused("no \"Name: value\"");
  HeaderTemplate made;
  made.name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' '))
    value.remove_prefix(1);
  made.value = value;
  if (!sip::is_token(made.name)) return refused("the name is no token");
  if (sip::is_own_name(made.name)) return refused("the switch writes this header itself");
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return refused("the value has a control character");
  }
  for (std::size_t at = 0, end = 0; next_placeholder(value, at, at, end); at = end) {
    const std::string_view name = value.substr(at + 2, end - at - 2);
    if (std::find(std::begin(template_names), std::end(template_names), name) ==
        std::end(template_names)) {
      return refused("it may hold ${caller}, ${callee}, ${callid} and ${account} only");
    }
  }
  return made;
}

}  // namespace tandem

namespace tandem::call {
namespace {

bool is(std::string_view name, std::string_view other) noexcept {
  return sip::equals_ignoring_case(name, other);
}

std::string filled(std::string_view value, const TemplateValues& values) {
  const std::string_view given[] = {values.caller, values.callee, values.call_id, values.account};
  std::string out;
  std::size_t at = 0, begin = 0, end = 0;
  while (next_placeholder(value, at, begin, end)) {
    out += value.substr(at, begin - at);
    const std::string_view name = value.substr(begin + 2, end - begin - 2);
    for (std::size_t i = 0; i < std::size(template_names); ++i) {
      if (name == template_names[i]) out += given[i];
    }
    at = end + 1;
  }
  out += value.substr(at);
  return out;
}

/// Hops that an entry of Diversion stands for: its `counter` (RFC 5806 section 5.1), or one.
std::size_t hops_of(std::string_view entry) noexcept {
  sip::NameAddress address;
  if (!sip::parse_name_address(entry, address)) return 1;
  std::size_t hops = 0;
  for (const char c : sip::find_param(address.params, "counter")) {
    if (c < '0' || c > '9' || hops > diversions_max) break;
    hops = hops * 10 + static_cast<std::size_t>(c - '0');
  }
  return std::max<std::size_t>(hops, 1);
}

/// Whether a Privacy header hides the caller (RFC 3323 section 4.2).
bool hides_caller(std::string_view privacy) noexcept {
  while (!privacy.empty()) {
    std::size_t end = privacy.find_first_of(";,");
    if (end == std::string_view::npos) end = privacy.size();
    std::string_view word = privacy.substr(0, end);
    privacy.remove_prefix(std::min(end + 1, privacy.size()));
    while (word.starts_with(' '))
      word.remove_prefix(1);
    while (word.ends_with(' '))
      word.remove_suffix(1);
    if (is(word, "id") || is(word, "user") || is(word, "header")) return true;
  }
  return false;
}

}  // namespace

std::string_view read_caller(const InboundCall& call, CallerField field) {
  const auto named = [&](Party party) {
    return call.parties == nullptr ? std::string_view() : call.parties->user(party);
  };
  switch (field) {
    case CallerField::from:
      break;
    case CallerField::display:
      return call.from_display;
    case CallerField::rpid:
      return named(Party::remote);
    case CallerField::pai:
      return named(Party::asserted);
    case CallerField::ppi:
      return named(Party::preferred);
  }
  return call.from_user;
}

std::string_view read_callee(const InboundCall& call, CalleeField field) {
  if (field == CalleeField::request_uri) return call.request_user;
  if (call.parties == nullptr) return {};
  return call.parties->user(field == CalleeField::to ? Party::to : Party::diverting);
}

bool is_diverted(const InboundCall& call) noexcept {
  return std::any_of(call.headers.begin(), call.headers.end(),
                     [](const PassedHeader& header) { return is(header.name, "Diversion"); });
}

void IdentityNeeds::add(const SipOptions& vendor) noexcept {
  asserted = asserted || vendor.pai == IdentityMode::pass;
  preferred = preferred || vendor.ppi == IdentityMode::pass;
  privacy = privacy || vendor.privacy == PrivacyMode::pass;
  forward = forward || vendor.forward_signal;
}

bool has_setting(std::string_view name) noexcept {
  return KeptHeaders::kind_of(name) != KeptHeaders::Kind::extra;
}

KeptHeaders::Kind KeptHeaders::kind_of(std::string_view name) noexcept {
  if (is(name, "P-Asserted-Identity")) return Kind::asserted;
  if (is(name, "P-Preferred-Identity")) return Kind::preferred;
  if (is(name, "Privacy")) return Kind::privacy;
  if (is(name, "Diversion") || is(name, "History-Info")) return Kind::forward;
  if (is(name, "Reason") || is(name, "Remote-Party-ID")) return Kind::other;
  return Kind::extra;
}

std::size_t KeptHeaders::diversions(const InboundCall& call, const SipOptions& customer) {
  std::size_t diversions = 0, places = 0;
  if (!customer.recognize_forward) return 0;
  for (const PassedHeader& header : call.headers) {
    if (kind_of(header.name) != Kind::forward) continue;
    const bool is_diversion = is(header.name, "Diversion");
    for (std::string_view list = header.value; !list.empty();) {
      const std::string_view entry = sip::next_element(list);
      if (entry.empty()) continue;
      if (is_diversion) {
        diversions += hops_of(entry);
      } else {
        ++places;
      }
    }
  }
  // A history begins with where the call went first.
  return std::max(diversions, places == 0 ? 0 : places - 1);
}

void KeptHeaders::keep(const InboundCall& call, const SipOptions& customer,
                       const IdentityNeeds& needs) {
  for (const PassedHeader& header : call.headers) {
    const Kind kind = kind_of(header.name);
    bool is_kept = false;
    switch (kind) {
      case Kind::asserted:
        is_kept = needs.asserted;
        break;
      case Kind::preferred:
        is_kept = needs.preferred;
        break;
      case Kind::privacy:
        is_kept = needs.privacy && customer.privacy != PrivacyMode::none;
        break;
      case Kind::forward:
        is_kept = needs.forward && customer.recognize_forward;
        break;
      case Kind::extra:
        is_kept = customer.pass_headers.passes(header.name);
        break;
      case Kind::other:
        break;
    }
    if (is_kept) lines_.push_back({kind, std::string(header.name), std::string(header.value)});
  }
}

std::string_view KeptHeaders::privacy() const noexcept {
  for (const Line& line : lines_) {
    if (line.kind == Kind::privacy) return line.value;
  }
  return {};
}

HeaderCopies KeptHeaders::copies() const {
  HeaderCopies copies;
  for (const Line& line : lines_)
    copies.emplace_back(line.name, line.value);
  return copies;
}

void KeptHeaders::append(const SipOptions& vendor, std::vector<PassedHeader>& out) const {
  for (const Line& line : lines_) {
    const bool is_shown = line.kind == Kind::extra ||
                          (line.kind == Kind::asserted && vendor.pai == IdentityMode::pass) ||
                          (line.kind == Kind::preferred && vendor.ppi == IdentityMode::pass) ||
                          (line.kind == Kind::forward && vendor.forward_signal);
    if (is_shown) out.push_back({line.name, line.value});
  }
}

HeaderCopies KeptHeaders::copy_passed(const HeaderPass& pass,
                                      const std::vector<PassedHeader>& headers) {
  HeaderCopies copies;
  if (!pass.passes_any()) return copies;
  for (const PassedHeader& header : headers) {
    if (kind_of(header.name) == Kind::extra && pass.passes(header.name))
      copies.emplace_back(header.name, header.value);
  }
  return copies;
}

void replace_forwarder(std::string_view number, std::vector<PassedHeader>& headers,
                       std::string& text) {
  const auto first = std::find_if(headers.begin(), headers.end(), [](const PassedHeader& header) {
    return is(header.name, "Diversion");
  });
  if (first != headers.end()) {
    std::string_view rest = first->value;
    const std::string_view entry = sip::next_element(rest);
    sip::NameAddress address;
    sip::Uri uri;
    if (sip::parse_name_address(entry, address) && sip::parse_uri(address.uri, uri) &&
        !uri.host.empty()) {
      text = "<sip:";
      sip::append_user(number, text);
      // From the host on, with its brackets, port and parameters.
      const std::size_t at = address.uri.find('@');
      const std::size_t colon = address.uri.find(':');
      text += '@';
      text += address.uri.substr((at == std::string_view::npos ? colon : at) + 1);
      text += '>';
      text += address.params;
      while (rest.starts_with(' '))
        rest.remove_prefix(1);
      if (!rest.empty()) (text += ", ") += rest;
      first->value = text;
    }
  }
  const bool is_shown = !text.empty();
  std::erase_if(headers, [&](const PassedHeader& header) {
    return is(header.name, "History-Info") || (!is_shown && is(header.name, "Diversion"));
  });
}

void present_call(const SipOptions& vendor, bool is_phone, const KeptHeaders& kept,
                  const TemplateValues& values, OutboundCall& out,
                  std::vector<std::string>& texts) {
  out.domain = vendor.local_domain;
  out.is_telephone_number = vendor.user_phone;
  if (!vendor.display) out.caller_display = {};
  kept.append(vendor, out.headers);
  Presentation& shown = out.presentation;
  shown.has_asserted = vendor.pai == IdentityMode::caller;
  shown.has_preferred = vendor.ppi == IdentityMode::caller;
  shown.has_remote_party = vendor.rpid;
  if (vendor.privacy == PrivacyMode::id) shown.privacy = "id";
  if (vendor.privacy == PrivacyMode::pass) shown.privacy = kept.privacy();
  // A carrier must be told who calls: without an asserted identity the From stays what it is
  // (P-09). A phone must not (P-12).
  const bool has_asserted =
      shown.has_asserted || std::any_of(out.headers.begin(), out.headers.end(), [](const auto& h) {
        return is(h.name, "P-Asserted-Identity");
      });
  shown.is_hidden = (has_asserted || is_phone) && hides_caller(shown.privacy);
  texts.reserve(vendor.invite_headers.size());
  for (const HeaderTemplate& header : vendor.invite_headers) {
    texts.push_back(filled(header.value, values));
    out.headers.push_back({header.name, texts.back()});
  }
}

}  // namespace tandem::call
