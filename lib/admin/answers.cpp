#include "admin/answers.hpp"

#include <utility>

namespace tandem::admin {

http::Response json_answer(int status, std::string body) {
  body += '\n';
  return {status, "application/json", std::move(body), {}};
}

http::Response refused(const Complaint& complaint) {
  return json_answer(complaint.status, to_json(complaint));
}

int status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::limit:  // of what was asked; a disk that is full is `io`
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::wrong_state:
    case ErrorCode::already_exists:
      return 409;
    case ErrorCode::unsupported:
      return 501;
    case ErrorCode::io:
    case ErrorCode::timeout:
      return 503;
    default:
      return 500;
  }
}

http::Response refused(const Error& error, std::string pointer) {
  return refused(Complaint{status_of(error.code), error_code_name(error.code), error.message,
                           std::move(pointer)});
}

http::Response no_such_thing(const std::string& what) {
  return refused(Complaint{404, "not_found", what, ""});
}

http::Response only(const http::Request& request, const char* allowed) {
  http::Response response = refused(
      Complaint{405, "unsupported", "method " + request.method + " is not possible here", ""});
  response.headers.emplace_back("Allow", allowed);
  return response;
}

http::Response refused_body(const Error& error) {
  const std::size_t colon = error.message.find(": ");
  if (!error.message.starts_with('/') || colon == std::string::npos) return refused(error);
  return refused(Error{error.code, error.message.substr(colon + 2)},
                 error.message.substr(0, colon));
}

}  // namespace tandem::admin
