// Answers that all endpoints give.
#pragma once

#include <string>

#include "admin/request_bodies.hpp"
#include "http/message.hpp"
#include "tandem/error.hpp"

namespace tandem::admin {

/// `body` with a line end.
http::Response json_answer(int status, std::string body);
http::Response refused(const Complaint& complaint);
http::Response refused(const Error& error, std::string pointer = {});
int status_of(ErrorCode code) noexcept;
http::Response no_such_thing(const std::string& what);
/// 405 with `Allow`.
http::Response only(const http::Request& request, const char* allowed);

/// "[a,b]" of things that to_json() knows.
template <class List>
std::string json_array(const List& list) {
  std::string text = "[";
  for (const auto& item : list) {
    if (text.size() > 1) text += ',';
    text += to_json(item);
  }
  return text + "]";
}

/// For an error whose message begins with the pointer into the body, as readers of bodies say it.
http::Response refused_body(const Error& error);

}  // namespace tandem::admin
