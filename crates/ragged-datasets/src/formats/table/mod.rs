//! What tables of all formats have in common: columns with names, roles and types.

pub(super) mod cell;
pub(super) mod column_type;
pub(super) mod columns;
pub(super) mod csv_columns;
pub(super) mod header;
pub(super) mod infer;
pub(super) mod long_form;
pub(super) mod roles;
pub(super) mod series;
mod time_features;

pub use column_type::ColumnType;
pub use csv_columns::CsvColumns;
pub use time_features::TimeFeature;
