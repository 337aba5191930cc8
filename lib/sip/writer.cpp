#include "sip/writer.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace tandem::sip {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// CR, LF and NUL end a line for somebody on the way.
bool has_line_break(std::string_view text) noexcept {
  for (char c : text) {
    if (c == '\r' || c == '\n' || c == '\0') return true;
  }
  return false;
}

// inet_pton and not IpAddress::parse: a host name is the common case of a mismatch and must not
// cost an Error.
bool is_same_address(std::string_view host, const IpAddress& ip) noexcept {
  char text[INET6_ADDRSTRLEN] = {};
  std::uint8_t bytes[16] = {};
  if (host.size() >= sizeof text) return false;
  std::memcpy(text, host.data(), host.size());
  const std::size_t size = ip.is_ipv4() ? 4 : 16;
  return inet_pton(ip.is_ipv4() ? AF_INET : AF_INET6, text, bytes) == 1 &&
         std::memcmp(bytes, ip.bytes.data(), size) == 0;
}

}  // namespace

MessageWriter::MessageWriter(char* buffer, std::size_t capacity_bytes) noexcept
    : begin_(buffer), next_(buffer), end_(buffer + capacity_bytes) {}

void MessageWriter::clear() noexcept {
  next_ = begin_;
  fault_ = Fault::none;
}

void MessageWriter::put(std::string_view text) noexcept {
  if (fault_ != Fault::none) return;
  if (text.size() > static_cast<std::size_t>(end_ - next_)) {
    fault_ = Fault::overflow;
    return;
  }
  if (text.empty()) return;  // memcpy takes no null pointer, not even for nothing
  std::memcpy(next_, text.data(), text.size());
  next_ += text.size();
}

void MessageWriter::put_value(std::string_view text) noexcept {
  if (has_line_break(text)) {
    if (ok()) fault_ = Fault::forbidden;
    return;
  }
  put(text);
}

void MessageWriter::put_word(std::string_view text) noexcept {
  bool is_good = !text.empty();
  for (char c : text)
    is_good = is_good && static_cast<unsigned char>(c) > 0x20 && c != 0x7F;
  if (!is_good) {
    if (ok()) fault_ = Fault::forbidden;
    return;
  }
  put(text);
}

void MessageWriter::put_unfolded(std::string_view text) noexcept {
  const auto find_line_end = [&text](std::size_t from) {
    while (from < text.size() && text[from] != '\r' && text[from] != '\n')
      ++from;
    return from;
  };
  std::size_t begin = 0;
  for (std::size_t at = find_line_end(0); at != text.size(); at = find_line_end(begin)) {
    // The scanner lets CR LF pass only before white space, so what is here is a fold; anything else
    // is not ours.
    const bool is_fold = text.substr(at, 2) == "\r\n" && at + 2 < text.size() &&
                         (text[at + 2] == ' ' || text[at + 2] == '\t');
    if (!is_fold) {
      if (ok()) fault_ = Fault::forbidden;
      return;
    }
    std::size_t last = at;
    while (last > begin && (text[last - 1] == ' ' || text[last - 1] == '\t'))
      --last;
    put(text.substr(begin, last - begin));
    put(" ");
    begin = at;
    while (begin < text.size() && is_blank(text[begin]))
      ++begin;
  }
  put(text.substr(begin));
}

void MessageWriter::put_number(std::uint64_t number) noexcept {
  char digits[20];
  const auto result = std::to_chars(digits, digits + sizeof digits, number);
  put({digits, static_cast<std::size_t>(result.ptr - digits)});
}

void MessageWriter::put_ip(const IpAddress& ip) noexcept {
  if (ip.is_ipv4()) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) put(".");
      put_number(ip.bytes[i]);
    }
    return;
  }
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(AF_INET6, ip.bytes.data(), text, sizeof text) != nullptr) put(text);
}

void MessageWriter::put_name(std::string_view name) noexcept {
  bool is_good = !name.empty();
  for (char c : name)
    is_good = is_good && static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != ':';
  if (!is_good && ok()) fault_ = Fault::forbidden;
  put(name);
  put(": ");
}

void MessageWriter::request_line(std::string_view method, std::string_view uri) noexcept {
  put_word(method);
  put(" ");
  put_word(uri);
  put(" SIP/2.0\r\n");
}

void MessageWriter::status_line(int status, std::string_view phrase) noexcept {
  if ((status < 100 || status > 699) && ok()) fault_ = Fault::forbidden;
  put("SIP/2.0 ");
  put_number(static_cast<std::uint64_t>(status));
  put(" ");
  put_value(phrase.empty() ? std::string_view(sip_reason_phrase(status)) : phrase);
  put("\r\n");
}

void MessageWriter::header(std::string_view name, std::string_view value) noexcept {
  put_name(name);
  put_value(value);
  put("\r\n");
}

void MessageWriter::header(std::string_view name, std::uint64_t value) noexcept {
  put_name(name);
  put_number(value);
  put("\r\n");
}

void MessageWriter::header(std::string_view name,
                           std::initializer_list<std::string_view> parts) noexcept {
  put_name(name);
  for (std::string_view part : parts)
    put_value(part);
  put("\r\n");
}

void MessageWriter::line(std::string_view name_and_value) noexcept {
  if (name_and_value.find(':') == std::string_view::npos && ok()) fault_ = Fault::forbidden;
  put_value(name_and_value);
  put("\r\n");
}

void MessageWriter::copy(std::string_view name, std::string_view received_value) noexcept {
  put_name(name);
  put_unfolded(received_value);
  put("\r\n");
}

void MessageWriter::copy_tagged(std::string_view name, std::string_view received_value,
                                std::string_view tag) noexcept {
  put_name(name);
  put_unfolded(received_value);
  put(";tag=");
  put_word(tag);
  put("\r\n");
}

void MessageWriter::copy(const Header& header) noexcept { copy(header.name, header.value); }

void MessageWriter::copy_all(const Message& message, HeaderId id) noexcept {
  for (std::size_t i = 0; i < message.header_count; ++i) {
    if (message.headers[i].id == id) copy(message.headers[i]);
  }
}

// Everything but received and rport stays as it came; these two are ours to say, and to a peer that
// asks how loaded we are the parameters of that.
void MessageWriter::put_top_via(const Via& via, const SocketAddress& source,
                                std::string_view overload) noexcept {
  const char* const end = via.value.data() + via.value.size();
  const auto is_parameter = [end](const char* at, std::string_view name) {
    while (at != end && is_blank(*at))
      ++at;
    if (static_cast<std::size_t>(end - at) < name.size() ||
        !equals_ignoring_case({at, name.size()}, name))
      return false;
    at += name.size();
    return at == end || is_blank(*at) || *at == ';' || *at == '=' || *at == '(';
  };
  const char* kept = via.value.data();
  bool in_quotes = false;
  for (const char* p = kept; p != end;) {
    if (*p == '"') in_quotes = !in_quotes;
    if (*p == '\\' && in_quotes && p + 1 != end) ++p;
    const bool is_ours = *p == ';' && !in_quotes &&
                         (is_parameter(p + 1, "received") || is_parameter(p + 1, "rport") ||
                          (!overload.empty() &&
                           (is_parameter(p + 1, "oc") || is_parameter(p + 1, "oc-algo") ||
                            is_parameter(p + 1, "oc-validity") || is_parameter(p + 1, "oc-seq"))));
    if (!is_ours) {
      ++p;
      continue;
    }
    put_unfolded({kept, static_cast<std::size_t>(p - kept)});
    bool is_quoted = false;  // a list of algorithms is, and may hold anything
    for (++p; p != end && (is_quoted || (*p != ';' && *p != '(')); ++p) {
      if (*p == '"') is_quoted = !is_quoted;
      if (*p == '\\' && is_quoted && p + 1 != end) ++p;
    }
    kept = p;
  }
  put_unfolded({kept, static_cast<std::size_t>(end - kept)});
  put(overload);
  if (source.ip.family == IpAddress::Family::none) return;
  if (via.has_rport || !is_same_address(via.host, source.ip)) {
    put(";received=");
    put_ip(source.ip);
  }
  if (via.has_rport) {
    put(";rport=");
    put_number(source.port);
  }
}

void MessageWriter::vias(const Message& request, const SocketAddress& source,
                         std::string_view overload) noexcept {
  bool is_top = true;
  for (std::size_t i = 0; i < request.header_count; ++i) {
    const Header& header = request.headers[i];
    if (header.id != HeaderId::via) continue;
    put("Via: ");
    Via top;
    // A top Via with malformed parameters goes back as it came, with the 400 that says so.
    if (is_top && request.via_count > 0 && parse_via(request.vias[0].value, top)) {
      put_top_via(top, source, overload);
      const char* const behind = top.value.data() + top.value.size();
      put_unfolded(
          {behind, static_cast<std::size_t>(header.value.data() + header.value.size() - behind)});
    } else {
      put_unfolded(header.value);
    }
    put("\r\n");
    is_top = false;
  }
}

void MessageWriter::finish() noexcept { put("Content-Length: 0\r\n\r\n"); }

void MessageWriter::finish(std::string_view content_type, std::string_view body) noexcept {
  if (body.empty()) return finish();
  header("Content-Type", content_type);
  header("Content-Length", body.size());
  put("\r\n");
  put(body);
}

void write_response_head(MessageWriter& writer, const Message& request,
                         const ResponseHead& head) noexcept {
  writer.status_line(head.status, head.phrase);
  writer.vias(request, head.source, head.overload);
  if (head.record_route) writer.copy_all(request, HeaderId::record_route);
  writer.copy("From", request.from.value);
  if (request.to.tag.empty() && !head.to_tag.empty() && head.status > 100) {
    writer.copy_tagged("To", request.to.value, head.to_tag);
  } else {
    writer.copy("To", request.to.value);
  }
  writer.copy("Call-ID", request.call_id);
  if (const Header* cseq = request.find(HeaderId::cseq)) writer.copy("CSeq", cseq->value);
}

}  // namespace tandem::sip
