#include "sip/sdp.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace tandem::sip {
namespace {

Error invalid(const char* what, std::string_view text) {
  std::string message = what;
  message += " \"";
  std::string_view shown = text.substr(0, 60);
  for (const std::string_view key : {"a=crypto", "a=ice-pwd"}) {
    if (text.starts_with(key)) shown = key;  // what is behind it may be in no log
  }
  for (char c : shown)
    message += c >= 0x20 && c < 0x7F ? c : '?';
  message += '"';
  return {ErrorCode::invalid_argument, std::move(message)};
}

// One line and its line end, which is kept apart so that an edited line ends as the original did.
struct Line {
  std::string_view text;
  std::string_view end;
};

bool take_line(std::string_view& rest, Line& line) noexcept {
  if (rest.empty()) return false;
  const std::size_t at = rest.find('\n');
  if (at == std::string_view::npos) {
    line = {rest, {}};
    if (line.text.back() == '\r') line.text.remove_suffix(1);
    rest = {};
    return true;
  }
  const bool has_cr = at > 0 && rest[at - 1] == '\r';
  line.text = rest.substr(0, has_cr ? at - 1 : at);
  line.end = rest.substr(line.text.size(), has_cr ? 2 : 1);
  rest.remove_prefix(at + 1);
  return true;
}

std::string_view take_word(std::string_view& rest) noexcept {
  while (!rest.empty() && rest.front() == ' ')
    rest.remove_prefix(1);
  const std::size_t size = rest.find(' ');
  const std::string_view word = rest.substr(0, size);
  rest.remove_prefix(word.size());
  return word;
}

std::string_view take_last_word(std::string_view& rest) noexcept {
  while (!rest.empty() && rest.back() == ' ')
    rest.remove_suffix(1);
  const std::size_t space = rest.rfind(' ');
  const std::string_view word = space == std::string_view::npos ? rest : rest.substr(space + 1);
  rest.remove_suffix(word.size());
  return word;
}

std::optional<std::uint32_t> read_number(std::string_view text, std::uint32_t max) noexcept {
  if (text.empty() || text.size() > 10) return std::nullopt;
  std::uint64_t number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (number > max) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

// "20" of "20", "20.0" or "20 ": what devices write into ptime.
int leading_number(std::string_view text, int max) noexcept {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
    ++digits;
  const auto number = read_number(text.substr(0, digits), static_cast<std::uint32_t>(max));
  return number ? static_cast<int>(*number) : 0;
}

bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.substr(0, prefix.size()) == prefix;
}

bool is_host_name(std::string_view text) noexcept {
  bool has_letter = false;
  for (char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '.' && c != '-') return false;
    has_letter = has_letter || is_letter;
  }
  return has_letter && text.size() <= 255;
}

// "IN IP4 192.0.2.1/127": the address, none for a host name.
bool read_connection(std::string_view value, IpAddress& address, std::string_view& text) {
  const std::string_view network = take_word(value);
  const std::string_view type = take_word(value);
  text = take_word(value);
  text = text.substr(0, text.find('/'));
  if (network != "IN" || (type != "IP4" && type != "IP6") || text.empty()) return false;
  const bool is_ipv6 = type == "IP6";
  const bool looks_numeric = text.find(':') != std::string_view::npos || !is_host_name(text);
  address = IpAddress{};
  if (!looks_numeric) return true;
  const Result<IpAddress> parsed = IpAddress::parse(text);
  if (!parsed.ok()) return false;
  // An IPv4-mapped IPv6 address is read as IPv4 (values.hpp), so its type may differ in this
  // direction only.
  if (!is_ipv6 && parsed->is_ipv6()) return false;
  address = *parsed;
  return true;
}

std::optional<SdpDirection> read_direction(std::string_view attribute) noexcept {
  if (attribute == "sendrecv") return SdpDirection::sendrecv;
  if (attribute == "sendonly") return SdpDirection::sendonly;
  if (attribute == "recvonly") return SdpDirection::recvonly;
  if (attribute == "inactive") return SdpDirection::inactive;
  return std::nullopt;
}

Result<void> read_origin(std::string_view value, SdpSession& session) {
  // From the right: devices put spaces into the user name, which comes first.
  const std::string_view whole = value;
  session.origin_address = take_last_word(value);
  const std::string_view type = take_last_word(value);
  const std::string_view network = take_last_word(value);
  session.origin_version = take_last_word(value);
  session.origin_session_id = take_last_word(value);
  while (!value.empty() && value.back() == ' ')
    value.remove_suffix(1);
  session.origin_username = value;
  if (value.empty() || network != "IN" || (type != "IP4" && type != "IP6"))
    return invalid("SDP had a malformed origin", whole);
  return {};
}

Result<void> read_media_line(std::string_view value, SdpMedia& media) {
  const std::string_view whole = value;
  media.type = take_word(value);
  std::string_view port = take_word(value);
  media.protocol = take_word(value);
  while (!value.empty() && value.front() == ' ')
    value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ')
    value.remove_suffix(1);
  media.formats = value;
  const std::size_t slash = port.find('/');
  if (slash != std::string_view::npos) {
    const auto count = read_number(port.substr(slash + 1), 65535);
    if (!count || *count == 0) return invalid("SDP had a malformed media line", whole);
    media.port_count = static_cast<std::uint16_t>(*count);
    port = port.substr(0, slash);
  }
  const auto number = read_number(port, 65535);
  if (media.type.empty() || !number || media.protocol.empty() ||
      (media.formats.empty() && *number != 0)) {
    return invalid("SDP had a malformed media line", whole);
  }
  media.port = static_cast<std::uint16_t>(*number);
  std::size_t formats = 0;
  for (std::string_view rest = media.formats; !take_word(rest).empty();)
    ++formats;
  if (formats > SdpLimits::formats_max) {
    return Error{ErrorCode::limit, "SDP media line had " + std::to_string(formats) + " formats"};
  }
  return {};
}

Result<void> read_rtcp(std::string_view value, SdpMedia& media) {
  const std::string_view whole = value;
  const auto port = read_number(take_word(value), 65535);
  if (!port) return invalid("SDP had a malformed a=rtcp", whole);
  media.rtcp_port = static_cast<std::uint16_t>(*port);
  std::string_view text;
  if (!value.empty() && !read_connection(value, media.rtcp_address, text)) {
    return invalid("SDP had a malformed a=rtcp", whole);
  }
  return {};
}

// Session-wide facts that each stream inherits.
struct SessionFacts {
  bool has_address = false;
  bool has_ice = false;
  bool has_dtls = false;
  std::string_view address_text;
};

bool is_ice(std::string_view attribute) noexcept {
  return starts_with(attribute, "candidate:") || starts_with(attribute, "ice-") ||
         attribute == "end-of-candidates" || starts_with(attribute, "remote-candidates:");
}

Result<void> read_media_attribute(std::string_view attribute, SdpMedia& media) {
  if (const auto direction = read_direction(attribute)) {
    media.direction = *direction;
  } else if (starts_with(attribute, "ptime:")) {
    media.ptime_ms = leading_number(attribute.substr(6), 1000);
  } else if (starts_with(attribute, "maxptime:")) {
    media.maxptime_ms = leading_number(attribute.substr(9), 1000);
  } else if (starts_with(attribute, "rtcp:")) {
    return read_rtcp(attribute.substr(5), media);
  } else if (attribute == "rtcp-mux") {
    media.has_rtcp_mux = true;
  } else if (is_ice(attribute)) {
    media.has_ice = true;
  } else if (starts_with(attribute, "fingerprint:")) {
    media.has_dtls = true;
  } else if (starts_with(attribute, "crypto:")) {
    media.has_crypto = true;
  }
  return {};
}

Result<void> read_line(std::string_view line, SdpSession& session, SessionFacts& facts) {
  SdpMedia* const media =
      session.media_count == 0 ? nullptr : &session.media[session.media_count - 1];
  const std::string_view value = line.substr(2);
  switch (line[0]) {
    case 'o':
      if (media != nullptr || !session.origin_session_id.empty())
        return invalid("SDP had a misplaced origin", value);
      return read_origin(value, session);
    case 'c': {
      IpAddress address;
      std::string_view text;
      if (!read_connection(value, address, text))
        return invalid("SDP had a malformed connection address", value);
      if (media == nullptr) {
        session.address = address;
        facts.address_text = text;
        facts.has_address = true;
      } else if (!media->has_own_address) {  // further ones are layers of a multicast (RFC 8866
                                             // section 5.7)
        media->address = address;
        media->address_text = text;
        media->has_own_address = true;
      }
      return {};
    }
    case 'a':
      if (media != nullptr) return read_media_attribute(value, *media);
      if (const auto direction = read_direction(value)) session.direction = *direction;
      facts.has_ice = facts.has_ice || is_ice(value);
      facts.has_dtls = facts.has_dtls || starts_with(value, "fingerprint:");
      return {};
    default:
      return {};
  }
}

struct StaticType {
  std::string_view name;
  std::uint32_t clock_rate_hz;
  std::uint8_t channels;
};

// RFC 3551 tables 4 and 5.
StaticType static_type(int payload_type) noexcept {
  switch (payload_type) {
    case 0:
      return {"PCMU", 8000, 1};
    case 3:
      return {"GSM", 8000, 1};
    case 4:
      return {"G723", 8000, 1};
    case 5:
      return {"DVI4", 8000, 1};
    case 6:
      return {"DVI4", 16000, 1};
    case 7:
      return {"LPC", 8000, 1};
    case 8:
      return {"PCMA", 8000, 1};
    case 9:
      return {"G722", 8000, 1};
    case 10:
      return {"L16", 44100, 2};
    case 11:
      return {"L16", 44100, 1};
    case 12:
      return {"QCELP", 8000, 1};
    case 13:
      return {"CN", 8000, 1};
    case 14:
      return {"MPA", 90000, 1};
    case 15:
      return {"G728", 8000, 1};
    case 16:
      return {"DVI4", 11025, 1};
    case 17:
      return {"DVI4", 22050, 1};
    case 18:
      return {"G729", 8000, 1};
    case 25:
      return {"CelB", 90000, 1};
    case 26:
      return {"JPEG", 90000, 1};
    case 28:
      return {"nv", 90000, 1};
    case 31:
      return {"H261", 90000, 1};
    case 32:
      return {"MPV", 90000, 1};
    case 33:
      return {"MP2T", 90000, 1};
    case 34:
      return {"H263", 90000, 1};
    default:
      return {"", 0, 1};
  }
}

// "PCMU/8000" or "opus/48000/2".
void read_rtpmap(std::string_view value, SdpCodec& codec) noexcept {
  const std::size_t slash = value.find('/');
  codec.name = value.substr(0, slash);
  if (slash == std::string_view::npos) return;
  std::string_view rest = value.substr(slash + 1);
  const std::size_t second = rest.find('/');
  codec.clock_rate_hz = read_number(rest.substr(0, second), 0xFFFFFFFFU).value_or(0);
  if (second == std::string_view::npos) return;
  codec.channels = static_cast<std::uint8_t>(read_number(rest.substr(second + 1), 255).value_or(1));
}

// The payload type that an a=rtpmap, a=fmtp or a=rtcp-fb line speaks of; "" for every other line.
std::string_view format_of(std::string_view line) noexcept {
  for (std::string_view prefix : {std::string_view("a=rtpmap:"), std::string_view("a=fmtp:"),
                                  std::string_view("a=rtcp-fb:")}) {
    if (starts_with(line, prefix)) {
      line.remove_prefix(prefix.size());
      return take_word(line);
    }
  }
  return {};
}

/// Payload types are numbers, however they are written: "018" of an m= line is the 18 of a=rtpmap.
bool is_same_format(std::string_view a, std::string_view b) noexcept {
  if (a == b) return true;
  const auto type = read_number(a, 127);
  return type && type == read_number(b, 127);
}

bool holds(const std::vector<std::string_view>& list, std::string_view item) noexcept {
  for (std::string_view entry : list) {
    if (is_same_format(entry, item)) return true;
  }
  return false;
}

void append_address(std::string& out, const IpAddress& ip) {
  out += ip.is_ipv6() ? "IN IP6 " : "IN IP4 ";
  out += ip.to_string();
}

/// Lines that hold between two ends that see each other: of DTLS and ICE, and of what was agreed on
/// with that (RFC 8829 section 5.2).
bool is_of_handshake(std::string_view line) noexcept {
  static constexpr std::string_view names[] = {
      "a=fingerprint:", "a=setup:",      "a=connection:", "a=tls-id:",    "a=identity:",
      "a=group:",       "a=mid:",        "a=bundle-only", "a=rtcp-mux",   "a=rtcp-rsize",
      "a=rtcp-fb:",     "a=extmap:",     "a=extmap-",     "a=msid:",      "a=msid-semantic",
      "a=ssrc:",        "a=ssrc-group:", "a=rid:",        "a=simulcast:", "a=ice-"};
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view name) { return starts_with(line, name); });
}

// Lines that name an address on a way around the switch.
bool is_dropped(std::string_view line) noexcept {
  if (!starts_with(line, "a=")) return false;
  line.remove_prefix(2);
  return is_ice(line) || starts_with(line, "rtcp:");
}

Result<void> append_media_line(std::string& out, const SdpMedia& media, const SdpStreamEdit& edit,
                               bool is_direct) {
  out += "m=";
  out += media.type;
  out += ' ';
  // The port count goes: one stream gets one pair of ports here.
  out += std::to_string(edit.is_refused ? 0 : is_direct ? media.port : edit.port);
  if (is_direct && !edit.is_refused && media.port_count > 1)
    out += '/' + std::to_string(media.port_count);
  out += ' ';
  out += edit.protocol.empty() ? media.protocol : edit.protocol;
  if (edit.is_refused || (edit.formats.empty() && edit.added.empty())) {
    if (media.formats.empty()) return {};
    out += ' ';
    out += media.formats;
    return {};
  }
  std::vector<std::string_view> known;
  for (std::string_view rest = media.formats;;) {
    const std::string_view format = take_word(rest);
    if (format.empty()) break;
    known.push_back(format);
  }
  const auto append_added = [&] {
    for (const SdpAddedFormat& added : edit.added)
      out += ' ' + std::to_string(added.payload_type);
  };
  if (edit.is_added_first) append_added();
  const bool keeps_all = edit.formats.empty() && !edit.keeps_no_format;
  for (const std::string_view format : keeps_all ? known : edit.formats) {
    if (!holds(known, format)) return invalid("media line did not have the format", format);
    out += ' ';
    out += format;
  }
  if (!edit.is_added_first) append_added();
  return {};
}

const SdpFmtpEdit* edit_of(const std::vector<SdpFmtpEdit>& edits,
                           std::string_view format) noexcept {
  for (const SdpFmtpEdit& edit : edits) {
    if (is_same_format(edit.format, format)) return &edit;
  }
  return nullptr;
}

void append_rtpmap(std::string& out, const SdpFmtpEdit& rtpmap, std::string_view line_end) {
  out += "a=rtpmap:";
  out += rtpmap.format;
  out += ' ';
  out += rtpmap.value;
  out += line_end;
}

void append_fmtp(std::string& out, const SdpFmtpEdit& fmtp, std::string_view line_end) {
  out += "a=fmtp:";
  out += fmtp.format;
  out += ' ';
  out += fmtp.value;
  out += line_end;
}

/// Whether a section has an a=fmtp line of a format, so that an edit replaces it.
bool has_fmtp(std::string_view section, std::string_view format) noexcept {
  Line line;
  while (take_line(section, line)) {
    if (starts_with(line.text, "a=fmtp:") && is_same_format(format_of(line.text), format))
      return true;
  }
  return false;
}

/// Lines of a section that are told by what the codecs become. False: the line is as it was.
bool append_codec_line(std::string& out, const SdpMedia& media, const SdpStreamEdit& edit,
                       std::string_view line, std::string_view line_end) {
  if (edit.ptime_ms != 0 && starts_with(line, "a=ptime:")) return true;  // said at the end
  const std::string_view format = format_of(line);
  if (format.empty() || format == "*") return false;
  const bool keeps_all = edit.formats.empty() && !edit.keeps_no_format;
  if (!keeps_all && !holds(edit.formats, format)) return true;
  const SdpFmtpEdit* const fmtp = edit_of(edit.fmtp, format);
  if (fmtp != nullptr && starts_with(line, "a=fmtp:")) {
    if (!fmtp->value.empty()) append_fmtp(out, *fmtp, line_end);
    return true;
  }
  if (!starts_with(line, "a=rtpmap:")) return false;
  const SdpFmtpEdit* const rtpmap = edit_of(edit.rtpmap, format);
  const bool adds_fmtp =
      fmtp != nullptr && !fmtp->value.empty() && !has_fmtp(media.section, format);
  if (rtpmap == nullptr && !adds_fmtp) return false;
  if (rtpmap != nullptr) {
    append_rtpmap(out, *rtpmap, line_end);
  } else {
    out += line;
    out += line_end;
  }
  if (adds_fmtp) append_fmtp(out, *fmtp, line_end);
  return true;
}

bool has_rtpmap(std::string_view section, std::string_view format) noexcept {
  Line line;
  while (take_line(section, line)) {
    if (starts_with(line.text, "a=rtpmap:") && format_of(line.text) == format) return true;
  }
  return false;
}

/// What the section has no line for yet.
void append_codec_lines(std::string& out, const SdpMedia& media, const SdpStreamEdit& edit,
                        std::string_view line_end) {
  for (const SdpFmtpEdit& rtpmap : edit.rtpmap) {
    if (!has_rtpmap(media.section, rtpmap.format)) append_rtpmap(out, rtpmap, line_end);
  }
  for (const SdpFmtpEdit& fmtp : edit.fmtp) {
    const bool is_said =
        has_fmtp(media.section, fmtp.format) || has_rtpmap(media.section, fmtp.format);
    if (!is_said && !fmtp.value.empty()) append_fmtp(out, fmtp, line_end);
  }
  for (const SdpAddedFormat& added : edit.added) {
    const std::string number = std::to_string(added.payload_type);
    out += "a=rtpmap:" + number + ' ' + added.rtpmap;
    out += line_end;
    if (!added.fmtp.empty()) append_fmtp(out, {number, added.fmtp}, line_end);
  }
  if (edit.ptime_ms == 0) return;
  out += "a=ptime:";
  out += std::to_string(edit.ptime_ms);
  out += line_end;
}

void append_crypto(std::string& out, const SdpStreamEdit& edit, std::string_view line_end) {
  for (const auto* lines : {&edit.crypto, &edit.handshake}) {
    for (const std::string& line : *lines) {
      if (edit.is_refused && !starts_with(line, "a=mid:")) continue;
      out += line;
      out += line_end;
    }
  }
}

Result<void> append_section(std::string& out, const SdpMedia& media, const SdpStreamEdit& edit,
                            const IpAddress& session_address, bool session_has_address,
                            std::string_view line_end) {
  const IpAddress& address = edit.is_refused ? session_address : edit.address;
  bool is_address_said = session_has_address && address == session_address;
  bool is_first = true;
  std::string_view rest = media.section;
  Line line;
  const auto say_address = [&] {
    out += "c=";
    append_address(out, address);
    out += line_end;
    is_address_said = true;
  };
  bool has_connection_line = false;
  while (take_line(rest, line)) {
    if (is_first) {
      const Result<void> appended = append_media_line(out, media, edit, false);
      if (!appended.ok()) return appended.error();
      out += line.end.empty() ? line_end : line.end;
      is_first = false;
      continue;
    }
    if (starts_with(line.text, "c=")) {
      if (has_connection_line) continue;  // further layers of a multicast: we have one address
      has_connection_line = true;
      out += "c=";
      append_address(out, address);
      out += line.end.empty() ? line_end : line.end;
      is_address_said = true;
      continue;
    }
    // The place of c= is behind i= and before all others (RFC 8866 section 5).
    if (!is_address_said && !media.has_own_address && !starts_with(line.text, "i=")) say_address();
    if (is_dropped(line.text)) continue;
    if (edit.replaces_crypto && starts_with(line.text, "a=crypto:")) continue;
    if (edit.replaces_handshake && is_of_handshake(line.text)) continue;
    const std::string_view end = line.end.empty() ? line_end : line.end;
    if (edit.changes_codecs() && append_codec_line(out, media, edit, line.text, end)) continue;
    out += line.text;
    out += end;
  }
  if (!is_address_said) say_address();
  append_codec_lines(out, media, edit, line_end);
  append_crypto(out, edit, line_end);
  if (!edit.is_refused && edit.rtcp_port != 0 && edit.rtcp_port != edit.port + 1) {
    out += "a=rtcp:";
    out += std::to_string(edit.rtcp_port);
    out += line_end;
  }
  return {};
}

/// A section with other codecs and nothing else changed (M-04).
Result<void> append_direct_section(std::string& out, const SdpMedia& media,
                                   const SdpStreamEdit& edit, std::string_view line_end) {
  std::string_view rest = media.section;
  Line line;
  for (bool is_first = true; take_line(rest, line); is_first = false) {
    const std::string_view end = line.end.empty() ? line_end : line.end;
    if (is_first) {
      const Result<void> appended = append_media_line(out, media, edit, true);
      if (!appended.ok()) return appended.error();
      out += end;
    } else if (!append_codec_line(out, media, edit, line.text, end)) {
      out += line.text;
      out += end;
    }
  }
  append_codec_lines(out, media, edit, line_end);
  return {};
}

/// The line end of a description, which added lines get too.
std::string_view first_line_end(std::string_view text) noexcept {
  Line line;
  return take_line(text, line) && !line.end.empty() ? line.end : std::string_view("\r\n");
}

Result<std::string> rewrite_codecs(const SdpSession& session, const SdpEdit& edit) {
  const std::string_view line_end = first_line_end(session.text);
  std::string out;
  out.reserve(session.text.size() + 128);
  const char* const begin = session.text.data();
  const char* const head_end =
      session.media_count == 0 ? begin + session.text.size() : session.media[0].section.data();
  out += session.text.substr(0, static_cast<std::size_t>(head_end - begin));
  for (std::size_t i = 0; i < session.media_count; ++i) {
    const SdpMedia& media = session.media[i];
    if (!edit.streams[i].changes_codecs() && !edit.streams[i].is_refused) {
      out += media.section;
      // Behind a section that does not end in one.
      if (i + 1 < session.media_count && !media.section.ends_with('\n')) out += line_end;
      continue;
    }
    const Result<void> appended = append_direct_section(out, media, edit.streams[i], line_end);
    if (!appended.ok()) return appended.error();
  }
  return out;
}

Result<void> check_edit(const SdpSession& session, const SdpEdit& edit) {
  if (edit.streams.size() != session.media_count) {
    return Error{ErrorCode::invalid_argument,
                 std::to_string(edit.streams.size()) + " stream edits did not fit " +
                     std::to_string(session.media_count) + " media lines"};
  }
  if (edit.is_direct) return {};
  if (edit.origin_address.family == IpAddress::Family::none) {
    return Error{ErrorCode::invalid_argument, "the origin address was not given"};
  }
  for (const SdpStreamEdit& stream : edit.streams) {
    if (!stream.is_refused &&
        (stream.address.family == IpAddress::Family::none || stream.port == 0)) {
      return Error{ErrorCode::invalid_argument, "address or port of a stream was not given"};
    }
  }
  return {};
}

/// What a device must know of a stream to send to it.
void append_own_stream(std::string& out, const SdpMedia& media, const SdpStreamEdit& edit) {
  out += "m=" + std::string(media.type) + ' ' + std::to_string(edit.port) + ' ';
  out += media.protocol;
  std::vector<std::string_view> formats = edit.formats;
  if (formats.empty()) {
    for (std::string_view rest = media.formats;;) {
      const std::string_view format = take_word(rest);
      if (format.empty()) break;
      formats.push_back(format);
    }
  }
  for (const std::string_view format : formats) {
    out += ' ';
    out += format;
  }
  out += "\r\n";
  SdpStreamEdit kept = edit;
  kept.formats = std::move(formats);
  std::string_view rest = media.section;
  Line line;
  while (take_line(rest, line)) {
    const std::string_view format = format_of(line.text);
    if (format.empty() || format == "*" || starts_with(line.text, "a=rtcp-fb:")) continue;
    if (append_codec_line(out, media, kept, line.text, "\r\n")) continue;
    out += line.text;
    out += "\r\n";
  }
  kept.ptime_ms = kept.ptime_ms != 0 ? kept.ptime_ms : media.ptime_ms;
  append_codec_lines(out, media, kept, "\r\n");
  append_crypto(out, edit, "\r\n");
  if (media.direction == SdpDirection::sendrecv) return;
  out += "a=";
  out += sdp_direction_name(reversed(media.direction));
  out += "\r\n";
}

}  // namespace

std::string_view sdp_direction_name(SdpDirection direction) noexcept {
  switch (direction) {
    case SdpDirection::sendrecv:
      return "sendrecv";
    case SdpDirection::sendonly:
      return "sendonly";
    case SdpDirection::recvonly:
      return "recvonly";
    case SdpDirection::inactive:
      return "inactive";
  }
  return "";
}

SdpDirection reversed(SdpDirection direction) noexcept {
  if (direction == SdpDirection::sendonly) return SdpDirection::recvonly;
  if (direction == SdpDirection::recvonly) return SdpDirection::sendonly;
  return direction;
}

bool SdpMedia::is_rtp() const noexcept {
  return starts_with(protocol, "RTP/") || protocol.find("/RTP/") != std::string_view::npos;
}

bool SdpMedia::can_be_relayed() const noexcept {
  return !starts_with(protocol, "TCP") && protocol.find("TLS") == std::string_view::npos;
}

std::uint16_t SdpMedia::effective_rtcp_port() const noexcept {
  if (port == 0) return 0;
  if (has_rtcp_mux) return port;
  return rtcp_port != 0 ? rtcp_port : static_cast<std::uint16_t>(port + 1);
}

bool SdpMedia::is_hold() const noexcept {
  // With ICE the address is that of one candidate, or of none yet (RFC 8840 section 4.1.1).
  return direction != SdpDirection::sendrecv ||
         (!has_ice && address.family != IpAddress::Family::none && address.is_unspecified());
}

const SdpMedia* SdpSession::first_audio() const noexcept {
  for (std::size_t i = 0; i < media_count; ++i) {
    if (media[i].is_audio() && media[i].port != 0) return &media[i];
  }
  return nullptr;
}

bool SdpSession::is_hold() const noexcept {
  bool has_stream = false;
  for (std::size_t i = 0; i < media_count; ++i) {
    if (media[i].port == 0) continue;
    if (!media[i].is_hold()) return false;
    has_stream = true;
  }
  return has_stream;
}

Result<SdpSession> parse_sdp(std::string_view text) {
  if (text.size() > SdpLimits::bytes_max) {
    return Error{ErrorCode::limit, "SDP was " + std::to_string(text.size()) + " bytes long"};
  }
  SdpSession session;
  session.text = text;
  SessionFacts facts;
  std::string_view rest = text;
  Line line;
  std::size_t lines = 0;
  const char* section_begin = nullptr;
  const auto close_section = [&](const char* end) {
    if (session.media_count == 0) return;
    session.media[session.media_count - 1].section = {
        section_begin, static_cast<std::size_t>(end - section_begin)};
  };
  while (take_line(rest, line)) {
    if (++lines > SdpLimits::lines_max)
      return Error{ErrorCode::limit, "SDP had more than 1024 lines"};
    if (line.text.empty()) {
      if (lines == 1) return invalid("SDP did not begin with v=0:", line.text);
      continue;
    }
    if (line.text.size() < 2 || line.text[1] != '=' ||
        line.text.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) {
      return invalid("SDP had a malformed line", line.text);
    }
    if (lines == 1 && line.text.substr(0, 3) != "v=0")
      return invalid("SDP did not begin with v=0:", line.text);
    if (line.text[0] == 'm') {
      close_section(line.text.data());
      if (session.media_count == SdpLimits::media_max)
        return Error{ErrorCode::limit, "SDP had more than 16 media lines"};
      section_begin = line.text.data();
      SdpMedia& media = session.media[session.media_count++];
      media.address = session.address;
      media.address_text = facts.address_text;
      media.direction = session.direction;
      media.has_ice = facts.has_ice;
      media.has_dtls = facts.has_dtls;
      const Result<void> read = read_media_line(line.text.substr(2), media);
      if (!read.ok()) return read.error();
      continue;
    }
    const Result<void> read = read_line(line.text, session, facts);
    if (!read.ok()) return read.error();
  }
  close_section(text.data() + text.size());
  if (session.media_count != 0) {
    const char* const first = session.media[0].section.data();
    for (std::size_t i = 0; i < session.media_count; ++i)
      session.media[i].head = text.substr(0, static_cast<std::size_t>(first - text.data()));
  }
  if (lines == 0) return invalid("SDP did not begin with v=0:", text);
  if (session.origin_session_id.empty()) return invalid("SDP had no origin:", text);
  for (std::size_t i = 0; i < session.media_count; ++i) {
    const SdpMedia& media = session.media[i];
    if (media.port != 0 && media.address_text.empty())
      return invalid("SDP had no address for the stream", media.type);
  }
  return session;
}

std::vector<SdpCodec> sdp_codecs(const SdpMedia& media) {
  std::array<std::uint8_t, 128> places{};  // one more than the place in `codecs`, by type; 0: none
  std::vector<SdpCodec> codecs;
  codecs.reserve(8);
  for (std::string_view formats = media.formats;;) {
    const std::string_view format = take_word(formats);
    if (format.empty()) break;
    const auto type = read_number(format, 127);
    if (!type) continue;
    SdpCodec codec;
    codec.payload_type = static_cast<int>(*type);
    codec.format = format;
    codecs.push_back(codec);
    if (places[*type] == 0) places[*type] = static_cast<std::uint8_t>(codecs.size());
  }
  std::string_view rest = media.section;
  Line line;
  while (take_line(rest, line)) {
    const bool is_map = starts_with(line.text, "a=rtpmap:");
    const bool is_fmtp = starts_with(line.text, "a=fmtp:");
    if (!is_map && !is_fmtp) continue;
    std::string_view value = line.text.substr(is_map ? 9 : 7);
    const auto type = read_number(take_word(value), 127);
    if (!type || places[*type] == 0) continue;
    while (!value.empty() && value.front() == ' ')
      value.remove_prefix(1);
    SdpCodec& codec = codecs[places[*type] - 1U];
    if (is_map) {
      read_rtpmap(value, codec);
    } else {
      codec.fmtp = value;
    }
  }
  for (SdpCodec& codec : codecs) {
    const SdpCodec& first = codecs[places[static_cast<std::size_t>(codec.payload_type)] - 1U];
    if (&codec != &first) {  // a type that is there twice
      const std::string_view format = codec.format;
      codec = first;
      codec.format = format;
    }
    if (!codec.name.empty()) continue;
    const StaticType known = static_type(codec.payload_type);
    codec.name = known.name;
    codec.clock_rate_hz = known.clock_rate_hz;
    codec.channels = known.channels;
  }
  return codecs;
}

bool can_answer(std::string_view answer, std::string_view offer) {
  const auto ours = parse_sdp(answer);
  const auto theirs = parse_sdp(offer);
  if (!ours || !theirs || ours->media_count == 0 || ours->media_count != theirs->media_count)
    return false;
  const auto is_same = [](const SdpCodec& a, const SdpCodec& b) {
    if (a.name.empty() || b.name.empty()) return a.format == b.format;
    return equals_ignoring_case(a.name, b.name) && a.clock_rate_hz == b.clock_rate_hz &&
           a.channels == b.channels;
  };
  for (std::size_t i = 0; i < ours->media_count; ++i) {
    const SdpMedia& own = ours->media[i];
    const SdpMedia& offered = theirs->media[i];
    if (own.type != offered.type || own.protocol != offered.protocol) return false;
    if (own.port == 0) continue;
    if (offered.port == 0) return false;  // what is not offered is refused
    if (!own.is_rtp()) {
      if (own.formats != offered.formats) return false;
      continue;
    }
    const auto codecs = sdp_codecs(own);
    const auto wanted = sdp_codecs(offered);
    const bool has_common = std::any_of(codecs.begin(), codecs.end(), [&](const SdpCodec& one) {
      return !equals_ignoring_case(one.name, "telephone-event") &&
             std::any_of(wanted.begin(), wanted.end(),
                         [&](const SdpCodec& other) { return is_same(one, other); });
    });
    if (!has_common) return false;
  }
  return true;
}

std::string sdp_codec_names(const SdpMedia& media) {
  std::string names;
  for (const SdpCodec& codec : sdp_codecs(media)) {
    if (!names.empty()) names += ',';
    if (codec.name.empty()) {
      names += std::to_string(codec.payload_type);
    } else {
      names += codec.name;
    }
  }
  return names;
}

Result<std::string> rewrite_sdp(const SdpSession& session, const SdpEdit& edit) {
  if (const Result<void> checked = check_edit(session, edit); !checked.ok()) return checked.error();
  if (edit.is_direct) return rewrite_codecs(session, edit);
  std::string out;
  out.reserve(session.text.size() + 128);
  const char* const head_end = session.media_count == 0 ? session.text.data() + session.text.size()
                                                        : session.media[0].section.data();
  std::string_view rest =
      session.text.substr(0, static_cast<std::size_t>(head_end - session.text.data()));
  std::string_view line_end;
  bool has_address = false;
  const bool replaces_handshake =
      std::any_of(edit.streams.begin(), edit.streams.end(),
                  [](const SdpStreamEdit& stream) { return stream.replaces_handshake; });
  Line line;
  while (take_line(rest, line)) {
    if (line_end.empty()) line_end = line.end.empty() ? std::string_view("\r\n") : line.end;
    if (starts_with(line.text, "o=")) {
      out += "o=- ";
      out += std::to_string(edit.session_id);
      out += ' ';
      out += std::to_string(edit.session_version);
      out += ' ';
      append_address(out, edit.origin_address);
    } else if (starts_with(line.text, "c=")) {
      if (has_address) continue;
      out += "c=";
      append_address(out, edit.origin_address);
      has_address = true;
    } else if (is_dropped(line.text) || (replaces_handshake && is_of_handshake(line.text))) {
      continue;
    } else {
      out += line.text;
    }
    out += line.end.empty() ? line_end : line.end;
  }
  for (const std::string& own : edit.session_handshake) {
    out += own;
    out += line_end;
  }
  for (std::size_t i = 0; i < session.media_count; ++i) {
    const Result<void> appended = append_section(out, session.media[i], edit.streams[i],
                                                 edit.origin_address, has_address, line_end);
    if (!appended.ok()) return appended.error();
  }
  return out;
}

Result<std::string> write_own_answer(const SdpSession& offer, const SdpEdit& edit) {
  if (const Result<void> checked = check_edit(offer, edit); !checked.ok()) return checked.error();
  std::string address;
  append_address(address, edit.origin_address);
  std::string out = "v=0\r\no=- " + std::to_string(edit.session_id) + ' ' +
                    std::to_string(edit.session_version) + ' ' + address +
                    "\r\ns=-\r\nc=" + address + "\r\nt=0 0\r\n";
  for (const std::string& own : edit.session_handshake)
    out += own + "\r\n";
  bool has_audio = false;
  for (std::size_t i = 0; i < offer.media_count; ++i) {
    const SdpMedia& media = offer.media[i];
    // With keys of others or feedback it would be for the other end to answer.
    const bool is_ours = edit.streams[i].replaces_crypto &&
                         (media.protocol == "RTP/AVP" || media.protocol == "RTP/SAVP" ||
                          !edit.streams[i].handshake.empty());
    const bool is_plain =
        media.is_audio() && (is_ours || (media.protocol == "RTP/AVP" && !media.has_crypto));
    if (!edit.streams[i].is_refused && is_plain) {
      has_audio = true;
      append_own_stream(out, media, edit.streams[i]);
    } else {
      out += "m=" + std::string(media.type) + " 0 " + std::string(media.protocol);
      if (!media.formats.empty()) out += ' ' + std::string(media.formats);
      out += "\r\n";
    }
  }
  if (!has_audio)
    return Error{ErrorCode::unsupported, "the offer had no audio that could be answered here"};
  return out;
}

std::string without_directions(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n') + 1);
    const std::string_view all = line.empty() ? text : line;
    std::string_view bare = all;
    while (!bare.empty() && (bare.back() == '\n' || bare.back() == '\r'))
      bare.remove_suffix(1);
    const bool is_direction = bare == "a=sendrecv" || bare == "a=sendonly" ||
                              bare == "a=recvonly" || bare == "a=inactive";
    if (!is_direction) kept += all;
    text.remove_prefix(all.size());
  }
  return kept;
}

std::string held(std::string_view text) {
  std::string kept = without_directions(text);
  const std::size_t media = kept.starts_with("m=") ? 0 : kept.find("\nm=");
  // Without a stream there is nothing to hold.
  if (media != std::string::npos) kept.insert(media == 0 ? 0 : media + 1, "a=inactive\r\n");
  return kept;
}

std::string held(std::string_view text, std::size_t index, std::string_view direction) {
  std::string kept = held(text);
  std::size_t media = kept.starts_with("m=") ? 0 : kept.find("\nm=");
  for (; index > 0 && media != std::string::npos; --index)
    media = kept.find("\nm=", media + 1);
  if (media == std::string::npos) return kept;
  const std::size_t next = kept.find("\nm=", media + 1);
  const std::size_t end = next == std::string::npos ? kept.size() : next + 1;
  const bool has_line_end = kept[end - 1] == '\n';
  return kept.insert(end, (has_line_end ? "a=" : "\r\na=") + std::string(direction) + "\r\n");
}

std::string with_version(std::string_view text, std::uint64_t session_id, std::uint64_t version) {
  std::string edited(text);
  const std::size_t line = edited.starts_with("o=") ? 0 : edited.find("\no=");
  if (line == std::string::npos) return edited;
  const std::size_t id = edited.find(' ', line);
  const std::size_t end = edited.find_first_of("\r\n", line + 1);
  if (id == std::string::npos || id > end) return edited;
  const std::size_t number = edited.find(' ', id + 1);
  const std::size_t network = number == std::string::npos ? number : edited.find(' ', number + 1);
  if (network == std::string::npos || network > end) return edited;
  edited.replace(id + 1, network - id - 1,
                 std::to_string(session_id) + ' ' + std::to_string(version));
  return edited;
}

}  // namespace tandem::sip
