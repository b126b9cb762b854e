package database

// Migrations of a test take the place of the real ones.
var MigrateFrom = (*DB).migrate
