// Answers that all endpoints give.
#pragma once

#include <string>

#include "admin/http_message.hpp"
#include "admin/request_bodies.hpp"
#include "tandem/error.hpp"

namespace tandem::admin {

/// `body` with a line end.
HttpResponse json_answer(int status, std::string body);
HttpResponse refused(const Complaint& complaint);
HttpResponse refused(const Error& error, std::string pointer = {});
int status_of(ErrorCode code) noexcept;
HttpResponse no_such_thing(const std::string& what);
/// 405 with `Allow`.
HttpResponse only(const HttpRequest& request, const char* allowed);

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

}  // namespace tandem::admin
