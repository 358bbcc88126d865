//! GeoJSON (RFC 7946): one feature collection, a feature for each record of the geography domain. Coordinates are stored in
//! WGS 84, as GeoJSON has them.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::table::OutRecord;

/// The member of the data that is the geometry.
const GEOMETRY: &str = "geometry";

/// A collection that is being written.
#[derive(Debug, Default)]
pub struct GeoJson {
    features: u64,
}

impl GeoJson {
    /// A new collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands before the features: `about` are further members of the collection.
    pub fn head(&self, out: &mut Vec<u8>, about: &Map<String, Value>) {
        out.extend_from_slice(b"{\"type\":\"FeatureCollection\"");
        for (name, value) in about {
            let _ = write!(out, ",{}:{value}", Value::from(name.as_str()));
        }
        out.extend_from_slice(b",\"features\":[");
    }

    /// One record: its geometry, and the rest of its data with the envelope as properties. Without a geometry, or where
    /// it is not shown, the geometry is null.
    pub fn record(&mut self, out: &mut Vec<u8>, record: &OutRecord<'_>) {
        let mut data = match serde_json::from_str(record.data) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let geometry = data.remove(GEOMETRY).unwrap_or(Value::Null);
        let mut properties = Map::new();
        properties.insert("domain".to_owned(), record.domain.as_str().into());
        properties.insert("owner".to_owned(), record.owner.into());
        if let Some(told) = &record.envelope {
            properties.insert("display".to_owned(), told.display.into());
            properties.insert("version".to_owned(), told.version.into());
            let day = |date: Option<chrono::NaiveDate>| date.map(|date| date.to_string());
            properties.insert("validFrom".to_owned(), day(told.period.valid_from()).into());
            properties.insert("validTo".to_owned(), day(told.period.valid_to()).into());
            properties.insert("recordedAt".to_owned(), told.recorded_at.to_string().into());
            properties.insert("model".to_owned(), told.model.into());
        }
        properties.insert("data".to_owned(), Value::Object(data));
        let feature = json!({
            "type": "Feature",
            "id": record.id.to_string(),
            "geometry": geometry,
            "properties": properties,
        });
        if self.features > 0 {
            out.push(b',');
        }
        self.features += 1;
        let _ = write!(out, "\n{feature}");
    }

    /// The end: the number of features, by which a file is known to be whole.
    pub fn tail(&self, out: &mut Vec<u8>) {
        let _ = writeln!(out, "\n],\"numberReturned\":{}}}", self.features);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_json_with_each_feature_in_it() {
        let mut out = Vec::new();
        let mut collection = GeoJson::new();
        let mut about = Map::new();
        about.insert("asOf".to_owned(), "x\"y".into());
        collection.head(&mut out, &about);
        for data in [
            r#"{"name":{"sv":"P"},"geometry":{"type":"Point","coordinates":[18.07,59.33]}}"#,
            "{}",
        ] {
            let record = OutRecord {
                id: "01990c3e-7a5b-7000-8000-000000000001".parse().unwrap(),
                domain: grunddata_model::Domain::Geography,
                owner: "a",
                envelope: None,
                data,
            };
            collection.record(&mut out, &record);
        }
        collection.tail(&mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["asOf"], "x\"y");
        assert_eq!(value["numberReturned"], 2);
        assert_eq!(value["features"][0]["geometry"]["coordinates"][0], 18.07);
        assert_eq!(
            value["features"][0]["properties"]["data"],
            json!({"name": {"sv": "P"}})
        );
        assert_eq!(value["features"][1]["geometry"], Value::Null);
    }
}
