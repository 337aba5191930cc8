#include "http/response_reader.hpp"

#include <optional>

#include "http/syntax.hpp"

namespace tandem::http {

ResponseReader::Outcome ResponseReader::outcome() const noexcept {
  if (state_ == State::refused) return Outcome::refused;
  return state_ == State::complete ? Outcome::complete : Outcome::incomplete;
}

ResponseReader::Outcome ResponseReader::refuse(std::string reason) {
  state_ = State::refused;
  reason_ = std::move(reason);
  buffer_ = {};
  return Outcome::refused;
}

ResponseReader::Outcome ResponseReader::append(std::string_view bytes) {
  // What waits behind a complete response is not kept: it makes the connection useless.
  if (state_ == State::complete && !bytes.empty() && buffer_.empty()) buffer_ = bytes.substr(0, 1);
  if (state_ == State::complete || state_ == State::refused) return outcome();
  buffer_ += bytes;
  while (step()) {
  }
  return outcome();
}

ResponseReader::Outcome ResponseReader::close() {
  if (state_ == State::body_to_end) {
    state_ = State::complete;
    response_.keeps_alive = false;
  } else if (state_ != State::complete && state_ != State::refused) {
    return refuse("connection ended in the middle of a response");
  }
  return outcome();
}

bool ResponseReader::take() {
  const bool is_clean = buffer_.empty();
  response_ = {};
  state_ = State::head;
  interim_responses_ = 0;
  trailer_bytes_ = 0;
  return is_clean;
}

bool ResponseReader::step() {
  switch (state_) {
    case State::head:
      return step_head();
    case State::body:
      return take_body(State::complete);
    case State::body_to_end:
      left_bytes_ = body_bytes_max_ + 1 - response_.body.size();
      (void)take_body(State::refused);
      if (state_ == State::refused)
        refuse("body is longer than " + std::to_string(body_bytes_max_) + " bytes");
      return false;
    case State::chunk_size:
      return step_chunk_size();
    case State::chunk:
      return take_body(State::chunk_end);
    case State::chunk_end:
      if (buffer_.size() < 2) return false;
      if (!buffer_.starts_with("\r\n")) {
        refuse("chunk does not end where its size says");
        return false;
      }
      buffer_.erase(0, 2);
      state_ = State::chunk_size;
      return true;
    case State::trailers:
      return step_trailers();
    case State::complete:
    case State::refused:
      return false;
  }
  return false;
}

/// Moves what is there of the body; all of it leads to `next`.
bool ResponseReader::take_body(State next) {
  const std::size_t taken = std::min(left_bytes_, buffer_.size());
  response_.body.append(buffer_, 0, taken);
  buffer_.erase(0, taken);
  left_bytes_ -= taken;
  if (left_bytes_ == 0) state_ = next;
  return left_bytes_ == 0;
}

bool ResponseReader::step_head() {
  const std::size_t end = std::string_view(buffer_).substr(0, head_bytes_max).find("\r\n\r\n");
  if (end == std::string::npos) {
    if (buffer_.size() >= head_bytes_max)
      refuse("head is longer than " + std::to_string(head_bytes_max) + " bytes");
    return false;
  }
  response_ = {};
  if (!read_head(std::string_view(buffer_).substr(0, end))) return false;
  buffer_.erase(0, end + 4);
  if (response_.status < 200) {
    // 101 would change the protocol, which nobody asked for.
    if (response_.status == 101 || ++interim_responses_ > interim_responses_max) {
      refuse("status " + std::to_string(response_.status) + " was not expected");
      return false;
    }
    return true;
  }
  return read_framing();
}

bool ResponseReader::read_head(std::string_view head) {
  bool is_first = true;
  while (!head.empty() || is_first) {
    const std::string_view line = next_line(head);
    if (!is_clean_line(line)) {
      refuse("head has a control character");
      return false;
    }
    if (is_first) {
      if (!read_status_line(line)) return false;
      is_first = false;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      refuse("header line is malformed");
      return false;
    }
    if (response_.headers.size() >= headers_max) {
      refuse("response has more than " + std::to_string(headers_max) + " headers");
      return false;
    }
    response_.headers.emplace_back(lower_case(line.substr(0, colon)),
                                   trimmed(line.substr(colon + 1)));
  }
  return true;
}

bool ResponseReader::read_status_line(std::string_view line) {
  is_http_1_0_ = line.starts_with("HTTP/1.0 ");
  const std::string_view digits = line.substr(std::min<std::size_t>(9, line.size()), 3);
  const auto status = parse_integer<std::uint16_t>(digits);
  const bool ends_there = line.size() == 12 || (line.size() > 12 && line[12] == ' ');
  if ((!is_http_1_0_ && !line.starts_with("HTTP/1.1 ")) || digits.size() != 3 || !status ||
      *status < 100 || *status > 599 || !ends_there) {
    refuse("status line is malformed");
    return false;
  }
  response_.status = *status;
  response_.keeps_alive = !is_http_1_0_;
  return true;
}

/// How the body ends (RFC 9112 section 6.3).
bool ResponseReader::read_framing() {
  bool is_chunked = false;
  std::optional<std::uint64_t> length;
  for (const auto& [name, value] : response_.headers) {
    if (name == "transfer-encoding") {
      if (is_chunked || is_http_1_0_ || !equals_ignoring_case(value, "chunked")) {
        refuse("transfer coding was not expected");
        return false;
      }
      is_chunked = true;
    } else if (name == "content-length") {
      const auto read = parse_integer<std::uint64_t>(value);
      if (!read || length) {
        refuse("Content-Length is malformed or there twice");
        return false;
      }
      length = read;
    } else if (name == "connection") {
      if (equals_ignoring_case(value, "close")) response_.keeps_alive = false;
      if (equals_ignoring_case(value, "keep-alive")) response_.keeps_alive = true;
    }
  }
  if (is_chunked && length) {
    refuse("response has a length beside chunks");
    return false;
  }
  if (length && *length > body_bytes_max_) {
    refuse("body is longer than " + std::to_string(body_bytes_max_) + " bytes");
    return false;
  }
  if (response_.status == 204 || response_.status == 304) {
    state_ = State::complete;
  } else if (is_chunked) {
    state_ = State::chunk_size;
  } else if (length) {
    left_bytes_ = static_cast<std::size_t>(*length);
    state_ = State::body;
  } else {
    state_ = State::body_to_end;
  }
  return true;
}

bool ResponseReader::step_chunk_size() {
  const std::size_t end = std::string_view(buffer_).substr(0, chunk_line_bytes_max).find("\r\n");
  if (end == std::string::npos) {
    if (buffer_.size() >= chunk_line_bytes_max) refuse("size of a chunk is malformed");
    return false;
  }
  const std::string_view line = std::string_view(buffer_).substr(0, end);
  const std::string_view digits = line.substr(0, line.find(';'));  // extensions mean nothing here
  std::size_t size = 0;
  bool is_good = !digits.empty() && digits.size() <= 8;
  for (const char c : digits) {
    is_good = is_good && hex_digit(c) >= 0;
    size = size * 16 + static_cast<std::size_t>(std::max(hex_digit(c), 0));
  }
  if (!is_good) {
    refuse("size of a chunk is malformed");
    return false;
  }
  if (size > body_bytes_max_ - response_.body.size()) {
    refuse("body is longer than " + std::to_string(body_bytes_max_) + " bytes");
    return false;
  }
  buffer_.erase(0, end + 2);
  left_bytes_ = size;
  state_ = size == 0 ? State::trailers : State::chunk;
  return true;
}

/// Trailers say nothing that is looked at; they only have to end.
bool ResponseReader::step_trailers() {
  const std::size_t end = buffer_.find("\r\n");
  if (end == std::string::npos ? buffer_.size() + trailer_bytes_ > head_bytes_max
                               : end + trailer_bytes_ > head_bytes_max) {
    refuse("trailers are longer than " + std::to_string(head_bytes_max) + " bytes");
    return false;
  }
  if (end == std::string::npos) return false;
  buffer_.erase(0, end + 2);
  trailer_bytes_ += end + 2;
  if (end == 0) state_ = State::complete;
  return end != 0;
}

}  // namespace tandem::http
