# The client libraries of database servers that CDRs can be sent to, each a component that may be left out.
# TANDEM_SQL_SERVERS: those that are built; TANDEM_SQL_LIBRARIES: what they link.
set(TANDEM_SQL_SERVERS "")
set(TANDEM_SQL_LIBRARIES "")
tandem_optional_component(postgresql libpq "Build the postgresql sink of call records"
  NAMES TANDEM_SQL_SERVERS LIBRARIES TANDEM_SQL_LIBRARIES)
tandem_optional_component(mariadb libmariadb "Build the mariadb sink of call records"
  NAMES TANDEM_SQL_SERVERS LIBRARIES TANDEM_SQL_LIBRARIES)
