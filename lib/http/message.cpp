#include "http/message.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "http/syntax.hpp"

namespace tandem::http {
namespace {

/// False: a broken escape or a control character. A '+' stays one: it begins numbers and time
/// offsets, and no value of the API has blanks.
bool decode(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    out += c;
  }
  return true;
}

const char* reason_phrase(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
  }
  return "";
}

}  // namespace

const std::string* Request::header(std::string_view lower_case_name) const noexcept {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return &value;
  }
  return nullptr;
}

std::string to_wire(const Response& response, bool keeps_alive, bool is_head) {
  std::string wire = "HTTP/1.1 ";
  append_integer(wire, response.status);
  wire += ' ';
  wire += reason_phrase(response.status);
  wire += "\r\n";
  if (response.status != 204) {  // RFC 9110 section 8.6: no length there
    wire += "Content-Type: " + response.content_type + "\r\n";
    if (response.stream == nullptr) {  // a stream ends with its connection: RFC 9112 section 6.3
      wire += "Content-Length: ";
      append_integer(wire, response.body.size());
      wire += "\r\n";
    }
  }
  wire += "Cache-Control: no-store\r\n";
  for (const auto& [name, value] : response.headers)
    wire += name + ": " + value + "\r\n";
  if (!keeps_alive) wire += "Connection: close\r\n";
  wire += "\r\n";
  if (!is_head && response.status != 204) wire += response.body;
  return wire;
}

bool RequestReader::append(std::string_view bytes) {
  if (bytes.size() > head_bytes_max + std::max(body_bytes_, body_bytes_max) - buffer_.size())
    return false;
  buffer_ += bytes;
  return true;
}

RequestReader::Outcome RequestReader::refuse(int status, std::string reason) {
  status_ = status;
  reason_ = std::move(reason);
  return Outcome::refused;
}

RequestReader::Outcome RequestReader::read() {
  if (status_ != 0) return Outcome::refused;
  if (head_bytes_ == 0) {
    // RFC 9112 section 2.2: an empty line before a request line is skipped. More than one or two
    // nobody sends, and whoever did could have them looked at without end.
    while (buffer_.starts_with("\r\n")) {
      if (++empty_lines_ > empty_lines_max) return refuse(400, "empty lines without a request");
      buffer_.erase(0, 2);
    }
    const std::size_t end = std::string_view(buffer_).substr(0, head_bytes_max).find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (buffer_.size() >= head_bytes_max) return refuse(431, "head is longer than 16384 bytes");
      return Outcome::incomplete;
    }
    request_ = {};
    if (!read_head(std::string_view(buffer_).substr(0, end)) || !read_framing())
      return Outcome::refused;
    head_bytes_ = end + 4;
  }
  if (buffer_.size() - head_bytes_ < body_bytes_) {
    if (!wants_continue_) return Outcome::incomplete;
    wants_continue_ = false;
    return Outcome::wants_continue;
  }
  request_.body = buffer_.substr(head_bytes_, body_bytes_);
  return Outcome::complete;
}

void RequestReader::take() {
  buffer_.erase(0, head_bytes_ + body_bytes_);
  if (buffer_.empty()) buffer_.shrink_to_fit();
  head_bytes_ = body_bytes_ = 0;
  empty_lines_ = 0;
  wants_continue_ = false;
  request_ = {};
}

bool RequestReader::read_head(std::string_view head) {
  bool is_first = true;
  while (!head.empty()) {
    const std::string_view line = next_line(head);
    if (!is_clean_line(line)) {
      refuse(400, "head has a control character");
      return false;
    }
    if (!(is_first ? read_request_line(line) : read_header(line))) return false;
    is_first = false;
  }
  return true;
}

bool RequestReader::read_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || !is_token(line.substr(0, first))) {
    refuse(400, "request line is malformed");
    return false;
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    refuse(version.starts_with("HTTP/") ? 505 : 400, "version is neither HTTP/1.1 nor HTTP/1.0");
    return false;
  }
  is_http_1_0_ = version == "HTTP/1.0";
  request_.keeps_alive = !is_http_1_0_;
  request_.method = line.substr(0, first);
  return read_target(line.substr(first + 1, last - first - 1));
}

bool RequestReader::read_target(std::string_view target) {
  const auto malformed = [this] {
    refuse(400, "request target is malformed");
    return false;
  };
  const std::size_t question = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, question);
  std::string_view query = target.substr(std::min(question + 1, target.size()));
  if (!path.starts_with('/') || target.find(' ') != std::string_view::npos ||
      target.find('#') != std::string_view::npos) {
    return malformed();
  }
  std::string text;
  do {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    if (!decode(path.substr(0, end), text)) return malformed();
    request_.path.push_back(text);
    path.remove_prefix(end);
  } while (!path.empty());
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string value;
    if (!decode(pair.substr(0, equals), text) ||
        !decode(pair.substr(std::min(equals + 1, pair.size())), value)) {
      return malformed();
    }
    request_.query.emplace_back(text, value);
  }
  return true;
}

bool RequestReader::read_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    refuse(400, "header line is malformed");
    return false;
  }
  if (request_.headers.size() >= headers_max) {
    refuse(431, "request has more than 100 headers");
    return false;
  }
  request_.headers.emplace_back(lower_case(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  return true;
}

bool RequestReader::read_framing() {
  int lengths = 0;
  int hosts = 0;
  for (const auto& [name, value] : request_.headers) {
    if (name == "transfer-encoding") {
      refuse(501, "transfer codings are not supported; send a Content-Length");
      return false;
    }
    if (name == "content-length") {
      const auto length =
          value.starts_with('-') ? std::nullopt : parse_integer<std::uint64_t>(value);
      if (!length || ++lengths > 1) {
        refuse(400, "Content-Length is malformed or there twice");
        return false;
      }
      const std::size_t bytes_max = limit_ ? limit_(request_) : body_bytes_max;
      if (*length > bytes_max) {
        refuse(413, "body is longer than " + std::to_string(bytes_max) + " bytes");
        return false;
      }
      body_bytes_ = static_cast<std::size_t>(*length);
    } else if (name == "host") {
      ++hosts;
    } else if (name == "connection") {
      if (equals_ignoring_case(value, "close")) request_.keeps_alive = false;
    } else if (name == "expect" && equals_ignoring_case(value, "100-continue") && !is_http_1_0_) {
      wants_continue_ = true;
    }
  }
  if (hosts > 1 || (hosts == 0 && !is_http_1_0_)) {  // RFC 9112 section 3.2
    refuse(400, "request needs one Host header");
    return false;
  }
  if (lengths == 0 && (request_.method == "POST" || request_.method == "PUT")) {
    refuse(411, "request has no Content-Length");
    return false;
  }
  return true;
}

}  // namespace tandem::http
