#pragma once

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

namespace nearest::bench {

struct ConnectionCloser {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};

struct ResultClearer {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};

using Connection = std::unique_ptr<PGconn, ConnectionCloser>;
using Result = std::unique_ptr<PGresult, ResultClearer>;

/// A message of libpq as one line, so that it fits into a line of output.
inline std::string one_line(const char* message) {
  std::string line(message);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

/// Opens a connection, or throws with the message of libpq.
inline Connection connect(const char* conninfo) {
  Connection connection(PQconnectdb(conninfo));
  if (PQstatus(connection.get()) != CONNECTION_OK)
    throw std::runtime_error(one_line(PQerrorMessage(connection.get())));
  return connection;
}

/// Throws with the message of the server unless the result has the status that is expected.
/// Commands, queries and an empty text all count as done.
inline void check(PGconn* connection, const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
    throw std::runtime_error(one_line(PQerrorMessage(connection)));
}

}  // namespace nearest::bench
